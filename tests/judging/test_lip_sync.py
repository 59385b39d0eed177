"""The lip-sync measure on series whose answer is known."""

import numpy as np
import pytest

from avatar_nodes.judging.lip_sync import lip_sync


def _speech(frames: int = 200) -> np.ndarray:
    noise = np.random.default_rng(5).standard_normal(frames + 4)
    return np.convolve(noise, np.ones(5) / 5, mode="valid")


def test_perfect_mouth_has_correlation_one_at_lag_zero() -> None:
    truth = _speech()
    result = lip_sync(truth, 0.5 * truth + 0.1)
    assert result.correlation == pytest.approx(1.0)
    assert result.lag_frames == 0


@pytest.mark.parametrize("late", [-3, 3])
def test_shifted_mouth_is_found_at_its_shift(late: int) -> None:
    truth = _speech()
    result = lip_sync(truth, np.roll(truth, late))
    assert result.lag_frames == late
    assert result.best_correlation > 0.99
    assert result.correlation < 0.6


def test_shuffled_mouth_does_not_correlate() -> None:
    truth = _speech(2000)
    result = lip_sync(truth, np.random.default_rng(1).permutation(truth))
    assert abs(result.best_correlation) < 0.15


def test_still_mouth_scores_zero() -> None:
    assert lip_sync(_speech(), np.full(200, 0.3)).correlation == 0.0


def test_series_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        lip_sync(_speech(), _speech()[:-1])
