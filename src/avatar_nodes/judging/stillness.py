"""Measures how still a video keeps what is still in truth, and how sharp what moves."""

from __future__ import annotations

import cv2
import numpy as np

_STILL_LEVELS = 2
"""Levels by which a pixel may change in truth within a second and count as still."""
_PERSON_LEVELS = 6
"""Levels by which a true pixel differs from the room where the person is before it."""
_MOVED_LEVELS = 24
"""Levels by which a pixel differs from the reference picture where something has moved."""


def stillness(
    frames: np.ndarray, truth: np.ndarray, *, frame_rate: int, within: np.ndarray | None = None
) -> float:
    """Levels of 0..255 by which still pixels change within a second; 0 is a still wall.

    uint8 videos [F, H, W, 3]. For each second, of the pixels that `truth` keeps within two levels:
    the range of their grey value, mean over pixels and seconds. within: bool [F, H, W], pixels
    count that are in it throughout the second (None: all). NaN where nothing is still. Raises
    ValueError when the shapes differ or there is less than a second.
    """
    if frames.shape != truth.shape or len(frames) < frame_rate:
        raise ValueError(
            f"videos {list(frames.shape)} and {list(truth.shape)}: expected the same shape, and at"
            f" least {frame_rate} frames"
        )
    found = []
    for first in range(0, len(frames) - frame_rate + 1, frame_rate):
        second = slice(first, first + frame_rate)
        still = _range(truth[second]) <= _STILL_LEVELS
        if within is not None:
            still &= within[second].all(axis=0)
        if still.any():
            found.append(float(_range(frames[second])[still].mean()))
    return float(np.mean(found)) if found else float("nan")


def covered(frames: np.ndarray, room: np.ndarray) -> np.ndarray:
    """bool [F, H, W]: where the true frames [F, H, W, 3] show the person, and not the `room`
    [H, W, 3] behind.
    """
    small_holes = np.ones((5, 5), np.uint8)
    found = []
    for frame in frames:
        differs = (cv2.absdiff(frame, room).max(axis=2) > _PERSON_LEVELS).astype(np.uint8)
        found.append(cv2.morphologyEx(differs, cv2.MORPH_CLOSE, small_holes) > 0)
    return np.stack(found)


def moving_detail(frames: np.ndarray, truth: np.ndarray, reference: np.ndarray) -> float:
    """Strength of the edges of what has moved, as a share of the truth's; 1 is as sharp, below it
    is smeared.

    Of the pixels where `truth` [F, H, W, 3] differs from the `reference` [H, W, 3]: hands, things,
    a head that turns. NaN where nothing has moved. Raises ValueError when the shapes differ.
    """
    if frames.shape != truth.shape or frames.shape[1:] != reference.shape:
        raise ValueError(
            f"videos {list(frames.shape)} and {list(truth.shape)}, reference"
            f" {list(reference.shape)}: expected the same size"
        )
    made = wanted = 0.0
    for frame, true in zip(frames, truth, strict=True):
        moved = cv2.absdiff(true, reference).max(axis=2) > _MOVED_LEVELS
        made += float(_edges(frame)[moved].sum())
        wanted += float(_edges(true)[moved].sum())
    return made / wanted if wanted else float("nan")


def _range(frames: np.ndarray) -> np.ndarray:
    """float32 [H, W]: highest less lowest grey value of uint8 [F, H, W, 3]."""
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames])
    return grey.max(axis=0).astype(np.float32) - grey.min(axis=0)


def _edges(frame: np.ndarray) -> np.ndarray:
    """float32 [H, W]: size of the gradient of the grey values."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
