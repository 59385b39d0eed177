"""Small random models, sounds and streams that tests of several folders share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile

if TYPE_CHECKING:
    from avatar_nodes.model.dit import WanS2V

RATE = 16_000


@pytest.fixture(scope="session")
def served_model() -> WanS2V:
    """A small random model, ready to serve in float32; nothing in it is zero."""
    return _model().serving()


@pytest.fixture(scope="session")
def remembering_model() -> WanS2V:
    """The same with visual memory: 4 tokens a latent frame, 4 frames in short memory, 3 in long."""
    import torch

    from avatar_nodes.model.dit_config import MemoryConfig

    model = _model().add_memory(MemoryConfig(short=4, long=3, hidden=16, heads=2))
    torch.manual_seed(2)
    torch.nn.init.normal_(model.memory_compressor.gate, std=0.2)
    return model.serving()


def _model() -> WanS2V:
    import torch

    from avatar_nodes.model.dit import WanS2V
    from avatar_nodes.model.dit_config import DiTConfig

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


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random checkpoint."""
    from support.tiny_checkpoint import build_tiny_checkpoint

    return build_tiny_checkpoint(tmp_path_factory.mktemp("model") / "checkpoint")


@pytest.fixture(scope="session")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one with visual memory."""
    from avatar_nodes.model.dit_config import MemoryConfig
    from support.tiny_checkpoint import build_tiny_checkpoint

    return build_tiny_checkpoint(
        tmp_path_factory.mktemp("remembering") / "checkpoint",
        memory=MemoryConfig(short=4, long=3, hidden=16, heads=2),
    )


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file of 2.1 s: four whole blocks and five frames of a fifth."""
    seconds = np.arange(round(2.1 * RATE)) / RATE
    sound = 0.5 * np.sin(2 * np.pi * 180 * seconds) * np.sin(2 * np.pi * 2.5 * seconds)
    path = tmp_path_factory.mktemp("sound") / "speech.wav"
    soundfile.write(path, sound, RATE, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def long_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file of two minutes in which every sample tells its place."""
    noise = np.random.default_rng(3).integers(-9000, 9000, 120 * RATE).astype(np.int16)
    path = tmp_path_factory.mktemp("sound") / "long.wav"
    soundfile.write(path, noise, RATE, subtype="PCM_16")
    return path
