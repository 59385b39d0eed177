"""Stillness and detail: known values, and each spoilt input is noticed."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from avatar_nodes.judging.stillness import moving_detail, stillness
from avatar_nodes.world.clips import Clip, ClipSpec

RATE = 25


@pytest.fixture(scope="module")
def clip() -> Clip:
    spec = ClipSpec(3, "test", 5, 800_000_007, (("wave", 1, 4),))
    return Clip(spec)


@pytest.fixture(scope="module")
def truth(clip: Clip) -> np.ndarray:
    return np.stack([clip.frame(n) for n in range(50)])


def test_truth_is_still_and_as_sharp_as_itself(clip: Clip, truth: np.ndarray) -> None:
    assert stillness(truth, truth, frame_rate=RATE) < 0.1
    assert moving_detail(truth, truth, clip.reference()) == pytest.approx(1.0)


def test_a_wall_that_flickers_is_measured_in_levels() -> None:
    still = np.full((50, 16, 16, 3), 100, np.uint8)
    assert stillness(still, still, frame_rate=RATE) == 0.0
    flickering = still.copy()
    flickering[::2] += 6
    assert stillness(flickering, still, frame_rate=RATE) == 6.0
    moving = still.copy()
    moving[::2, :8] += 60  # also in truth: only the lower half counts
    half = flickering.copy()
    half[:, 8:] = 100
    assert stillness(half, moving, frame_rate=RATE) == 0.0
    assert math.isnan(stillness(still, np.tile(moving[:, :8], (1, 2, 1, 1)), frame_rate=RATE))


def test_noise_and_blur_are_noticed(clip: Clip, truth: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0.0, 4.0, truth.shape)
    shimmering = np.clip(truth + noise, 0, 255).astype(np.uint8)
    assert stillness(shimmering, truth, frame_rate=RATE) > 8.0
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 3.0) for frame in truth])
    assert moving_detail(blurred, truth, clip.reference()) < 0.6
    unmoved = np.repeat(clip.reference()[None], len(truth), axis=0)
    assert stillness(unmoved, truth, frame_rate=RATE) == 0.0


def test_what_cannot_be_compared_is_refused(clip: Clip, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 25 frames"):
        stillness(truth[:10], truth[:10], frame_rate=RATE)
    with pytest.raises(ValueError, match="expected the same size"):
        moving_detail(truth, truth[:, :64], clip.reference())
    nothing = np.repeat(clip.reference()[None], 3, axis=0)
    assert math.isnan(moving_detail(nothing, nothing, clip.reference()))
