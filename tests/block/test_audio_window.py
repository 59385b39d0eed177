"""Slices of sound with their past."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.block.audio_window import AudioWindow, blocks_and_what_follows, split_blocks


@pytest.mark.parametrize("context", [0, 240, 3440, 9000])
def test_windows_are_slices_of_the_stream(context: int) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32767, 4 * 7680).astype(np.int16)
    whole = np.concatenate([np.zeros(context, np.int16), samples]).astype(np.float32) / 32768
    window = AudioWindow(7680, context)
    for _ in range(2):
        for n, block in enumerate(split_blocks(samples, 7680)):
            found = window.push(block)
            assert found.dtype == np.float32
            assert np.array_equal(found, whole[7680 * n : 7680 * (n + 1) + context])
        window.reset()


def test_the_last_block_is_filled_with_silence() -> None:
    blocks = split_blocks(np.ones(7681, np.int16), 7680)
    assert [int(block.sum()) for block in blocks] == [7680, 1]
    assert split_blocks(np.zeros(0, np.int16), 7680) == []


def test_blocks_of_another_size_or_type() -> None:
    for block in (np.zeros(100, np.int16), np.zeros(7680, np.float32)):
        with pytest.raises(ValueError, match="a block is int16"):
            AudioWindow(7680, 240).push(block)


def test_windows_with_what_follows() -> None:
    samples = np.random.default_rng(0).integers(-32768, 32767, 4 * 7680 - 100).astype(np.int16)
    whole = np.concatenate([np.zeros(240, np.int16), samples, np.zeros(9000, np.int16)])
    window = AudioWindow(7680, 240, 2560)
    for n, (block, ahead) in enumerate(blocks_and_what_follows(samples, 7680)):
        found = window.push(block, ahead)
        assert np.array_equal(found * 32768, whole[7680 * n : 7680 * (n + 1) + 240 + 2560])
    assert n == 3
    assert not AudioWindow(7680, 0, 2560).push(np.ones(7680, np.int16))[-2560:].any()
