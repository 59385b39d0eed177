"""A small model and streams of it, for the tests of this folder."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, MemoryConfig


@pytest.fixture(scope="session")
def served_model() -> WanS2V:
    """A small random model, ready to serve in float32; nothing in it is zero."""
    return _model().serving()


@pytest.fixture(scope="session")
def remembering_model() -> WanS2V:
    """The same with visual memory: 4 tokens a latent frame, 4 frames in short memory, 3 in long."""
    model = _model().add_memory(MemoryConfig(short=4, long=3, hidden=16, heads=2))
    torch.manual_seed(2)
    torch.nn.init.normal_(model.memory_compressor.gate, std=0.2)
    return model.serving()


def _model() -> WanS2V:
    torch.manual_seed(0)
    config = DiTConfig.tiny(
        dim=64, ffn_dim=128, num_layers=2, audio_inject_layers=(0,), freq_dim=32, text_dim=16,
        text_len=8, in_dim=4, out_dim=4, cond_dim=4, audio_dim=6, latent_shape=(4, 8, 8),
        prediction="velocity",
    )  # fmt: skip
    model = WanS2V(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    return model
