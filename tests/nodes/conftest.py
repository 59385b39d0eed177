"""A small random checkpoint, a profile for it and a sound, for the graphs of this folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("rclpy", reason="no ROS here")

from tiny_checkpoint import build_tiny_checkpoint

from avatar_nodes.model.dit_config import MemoryConfig

RATE = 16_000


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random checkpoint."""
    return build_tiny_checkpoint(tmp_path_factory.mktemp("model") / "checkpoint")


@pytest.fixture(scope="session")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one with visual memory."""
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
