"""Audio features: a stream's blocks equal the whole file's columns, bit for bit."""

import numpy as np
import pytest
import torch

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS, MelFeatures
from avatar_nodes.block.timing import BlockTiming

BLOCK = 7680


def _sound(blocks: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    tone = np.sin(np.arange(blocks * BLOCK) * 2 * np.pi * 220 / 16_000)
    return (0.3 * tone + 0.01 * rng.standard_normal(blocks * BLOCK)).astype(np.float32)


def test_blocks_of_a_stream_equal_the_whole_files_columns() -> None:
    features = MelFeatures(BlockTiming())
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), _sound(5)])
    whole = features.columns(sound)
    for block in range(5):
        window = sound[block * BLOCK : (block + 1) * BLOCK + features.context_samples]
        columns = features.block(window)
        assert columns.shape == (1, features.dim, CONTEXT_COLUMNS + 12)
        assert torch.equal(columns, whole[:, :, block * 12 : block * 12 + CONTEXT_COLUMNS + 12])


def test_a_column_does_not_depend_on_later_sound() -> None:
    features = MelFeatures(BlockTiming())
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), _sound(1)])
    changed = sound.copy()
    changed[-640:] = 0.9
    before, after = features.block(sound), features.block(changed)
    assert torch.equal(before[..., :-1], after[..., :-1])
    assert not torch.equal(before[..., -1], after[..., -1])


def test_silence_is_the_lowest_value() -> None:
    features = MelFeatures(BlockTiming())
    columns = features.block(np.zeros(features.context_samples + BLOCK, np.float32))
    assert (columns == -1.0).all()


def test_parts_of_a_frame_are_refused() -> None:
    features = MelFeatures(BlockTiming())
    with pytest.raises(ValueError, match="whole frames"):
        features.block(np.zeros(features.context_samples + 100, np.float32))


@pytest.mark.parametrize(
    "timing",
    [
        BlockTiming(frame_rate=16, latents_per_block=1),
        BlockTiming(frame_rate=16, latents_per_block=2),
        BlockTiming(frame_rate=5),
        BlockTiming(frame_rate=25, sample_rate=48_000),
        BlockTiming(frame_rate=20, sample_rate=8_000),
    ],
)
def test_other_timings(timing: BlockTiming) -> None:
    """A column a frame, whatever a frame is; blocks equal the whole, and the future has no part."""
    features, size, frames = MelFeatures(timing), timing.samples_per_block, timing.frames_per_block
    sound = np.random.default_rng(0).standard_normal(3 * size).astype(np.float32) / 9.0
    padded = np.concatenate([np.zeros(features.context_samples, np.float32), sound])
    whole = features.columns(padded)
    assert whole.shape == (1, features.dim, CONTEXT_COLUMNS + 3 * frames)
    for block in range(3):
        window = padded[block * size : (block + 1) * size + features.context_samples]
        columns = features.block(window)
        assert torch.equal(columns, whole[..., block * frames :][..., : columns.shape[-1]])
        assert columns.shape[-1] == CONTEXT_COLUMNS + frames
    padded[-timing.samples_per_frame :] = 0.9
    changed = features.columns(padded)
    assert torch.equal(changed[..., :-1], whole[..., :-1])
    assert not torch.equal(changed[..., -1], whole[..., -1])


def test_a_hop_of_whole_samples() -> None:
    with pytest.raises(ValueError, match="625 samples a frame"):
        MelFeatures(BlockTiming(frame_rate=16, sample_rate=10_000))
