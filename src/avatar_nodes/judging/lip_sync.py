"""Compares the measured mouth aperture with the true one: correlation and lag."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STILL = 1e-5
"""A series that moves less than this is constant; the rest is rounding."""


@dataclass(frozen=True)
class LipSync:
    """Lip-sync of a mouth over one clip."""

    correlation: float
    """Pearson correlation at lag 0, -1..1; 0 where either side never moves."""
    lag_frames: int
    """Shift with the highest correlation; positive: the picture is late."""
    best_correlation: float
    """Correlation at that shift."""


def correlate(first: np.ndarray, second: np.ndarray) -> float:
    """Pearson correlation of two series of the same length; 0 where one is constant."""
    a, b = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((a * a).sum() * (b * b).sum()))
    still = min(float(np.abs(a).max()), float(np.abs(b).max())) < _STILL
    return 0.0 if still else float((a * b).sum()) / norm


def lip_sync(truth: np.ndarray, measured: np.ndarray, *, max_lag: int = 6) -> LipSync:
    """Compare two aperture series [frames] in 0..1 over shifts of +-`max_lag` frames.

    Raises:
        ValueError: the series differ in length or are shorter than 4 * max_lag.
    """
    if truth.shape != measured.shape or truth.ndim != 1 or len(truth) < 4 * max_lag:
        raise ValueError(f"aperture series {truth.shape} and {measured.shape} cannot be compared")
    scores = {}
    for lag in range(-max_lag, max_lag + 1):
        late, early = measured[max(0, lag) :], truth[: len(truth) - max(0, lag)]
        if lag < 0:
            late, early = measured[:lag], truth[-lag:]
        scores[lag] = correlate(early, late)
    best = max(scores, key=lambda lag: (scores[lag], -abs(lag)))
    return LipSync(scores[0], best, scores[best])
