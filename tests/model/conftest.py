"""Models that the tests of this folder share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import golden

from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig


@pytest.fixture(scope="session")
def reference_model() -> WanS2V:
    """The weights of the golden data."""
    return load_checkpoint(golden.FOLDER / "dit_s2v").eval()


@pytest.fixture
def small_model(request: pytest.FixtureRequest) -> WanS2V:
    """A small causal model whose zero-initialised layers hold random values too; an indirect
    parameter holds changes of its configuration.
    """
    torch.manual_seed(0)
    changes: dict[str, Any] = getattr(request, "param", {})
    small: dict[str, Any] = {
        "dim": 64, "ffn_dim": 128, "num_layers": 3, "audio_inject_layers": (0, 1), "freq_dim": 32,
        "text_dim": 16, "text_len": 8, "in_dim": 4, "out_dim": 4, "cond_dim": 4, "audio_dim": 6,
        "latent_shape": (4, 8, 8), "prediction": "velocity",
    }  # fmt: skip
    config = DiTConfig.tiny(**{**small, **changes})
    model = WanS2V(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    return model
