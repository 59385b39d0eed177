"""Sync-C and Sync-D on embeddings whose answer is known."""

import pytest
import torch
import torch.nn.functional as F

from avatar_nodes.judging.sync_distance import sync_distance


def moments(count: int = 120, seed: int = 0) -> torch.Tensor:
    """Unit vectors [count, 32], each unlike the others."""
    noise = torch.randn(count, 32, generator=torch.Generator().manual_seed(seed))
    return F.normalize(noise, dim=1)


def test_perfect_sync_has_distance_zero_at_offset_zero() -> None:
    found = sync_distance(moments(), moments())
    assert found.offset == 0
    assert found.distance == pytest.approx(0.0, abs=1e-6)
    assert found.confidence == pytest.approx(2**0.5, abs=0.03)  # random unit vectors are so far


@pytest.mark.parametrize("late", [-3, 3])
def test_late_picture_is_found_at_its_offset(late: int) -> None:
    found = sync_distance(torch.roll(moments(), late, dims=0), moments())
    assert found.offset == late
    # All but the three moments that rolled round are perfect.
    assert found.distance < 0.05


def test_shuffled_picture_has_no_confidence() -> None:
    order = torch.randperm(120, generator=torch.Generator().manual_seed(1))
    found = sync_distance(moments()[order], moments())
    assert found.confidence < 0.05
    assert found.distance > 1.3


def test_padding_counts_missing_sound_as_zeros() -> None:
    """By hand: two windows, shifts -1, 0, 1; distances to zero are the lengths."""
    video = torch.tensor([[3.0, 4.0], [0.0, 2.0]])
    audio = torch.tensor([[3.0, 4.0], [0.0, 5.0]])
    found = sync_distance(video, audio, max_shift=1, pad=True)
    # shift -1: (|v0| + |v1 - a0|) / 2; 0: (0 + 3) / 2; +1: (|v0 - a1| + |v1|) / 2
    means = [(5.0 + 13**0.5) / 2, 1.5, (10**0.5 + 2.0) / 2]
    assert found.distance == pytest.approx(1.5)
    assert found.confidence == pytest.approx(sorted(means)[1] - 1.5)
    assert found.offset == 0


def test_too_short_or_unlike_series_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        sync_distance(moments(15), moments(15))
    with pytest.raises(ValueError, match="cannot be compared"):
        sync_distance(moments(), moments()[:-1])
