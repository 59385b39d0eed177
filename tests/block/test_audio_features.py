"""Audio features: a stream's blocks equal the whole file's columns, bit for bit."""

import numpy as np
import pytest
import torch

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS, MelFeatures

BLOCK = 7680


def _sound(blocks: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(blocks * BLOCK) * 2 * np.pi * 220 / 16_000)
    return (0.3 * tone + 0.01 * rng.standard_normal(blocks * BLOCK)).astype(np.float32)


def test_blocks_of_a_stream_equal_the_whole_files_columns() -> None:
    features = MelFeatures()
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), _sound(5)])
    whole = features.columns(sound)
    for block in range(5):
        window = sound[block * BLOCK : (block + 1) * BLOCK + features.context_samples]
        columns = features.block(window)
        assert columns.shape == (1, features.dim, CONTEXT_COLUMNS + 12)
        assert torch.equal(columns, whole[:, :, block * 12 : block * 12 + CONTEXT_COLUMNS + 12])


def test_a_column_does_not_depend_on_later_sound() -> None:
    features = MelFeatures()
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), _sound(1)])
    changed = sound.copy()
    changed[-640:] = 0.9
    before, after = features.block(sound), features.block(changed)
    assert torch.equal(before[..., :-1], after[..., :-1])
    assert not torch.equal(before[..., -1], after[..., -1])


def test_silence_is_the_lowest_value() -> None:
    features = MelFeatures()
    columns = features.block(np.zeros(features.context_samples + BLOCK, np.float32))
    assert (columns == -1.0).all()


def test_parts_of_a_frame_are_refused() -> None:
    with pytest.raises(ValueError, match="whole frames"):
        MelFeatures().block(np.zeros(MelFeatures().context_samples + 100, np.float32))
