"""Noise as a pure function of (seed, block)."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.block.noise import block_noise


def test_the_same_arguments_give_the_same_noise_whatever_came_before() -> None:
    first = block_noise(5, 3, (4, 3, 8, 8))
    torch.randn(10)
    block_noise(5, 4, (4, 3, 8, 8))
    assert torch.equal(block_noise(5, 3, (4, 3, 8, 8)), first)
    assert first.dtype == torch.float32 and first.shape == (4, 3, 8, 8)


def test_other_seeds_and_blocks_give_independent_noise() -> None:
    keys = [(0, 0), (0, 1), (1, 0), (2**64 - 1, 0), (0, 2**64 - 1), (2**32, 0), (0, 2**32)]
    drawn = torch.stack([block_noise(*key, (20_000,)) for key in keys])
    correlation = torch.corrcoef(drawn) - torch.eye(len(keys))
    assert correlation.abs().max() < 0.04
    assert drawn.mean(dim=1).abs().max() < 0.04
    assert (drawn.std(dim=1) - 1).abs().max() < 0.04


@pytest.mark.parametrize("key", [(-1, 0), (0, -1), (2**64, 0), (0, 2**64)])
def test_keys_out_of_range(key: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must be in"):
        block_noise(*key, (1,))
