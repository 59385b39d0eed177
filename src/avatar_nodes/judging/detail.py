"""Measures detail: how much of it a part of the picture has, and edges that nothing explains."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from avatar_nodes.world.renderer import Box

_NEW_EDGE = 6.0
"""Levels by which an edge is stronger than those of the picture around it, to count as new."""


def gradient_energy(frame: np.ndarray, boxes: Iterable[Box]) -> float:
    """Squared gradients of the grey values of uint8 RGB [H, W, 3], summed over the boxes' pixels;
    of a box only what is in the picture.
    """
    total = 0.0
    for x0, y0, x1, y1 in boxes:
        part = frame[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
        if part.size:
            total += float((_strength(part) ** 2).sum())
    return total


def torn(
    frames: np.ndarray, picture: np.ndarray, *, but: Iterable[Box] = (), reach: float = 0.05
) -> float:
    """Share of pixels with an edge that the picture has nowhere near: where a warp tears, or a
    mask ends. 0 for a picture that only moves.

    uint8 RGB frames [F, H, W, 3] and the picture [H, W, 3] that they were made of. but: boxes where
    edges may appear, as where lips open. reach: how far an edge may have moved, as a share of the
    picture's width. Raises ValueError when the sizes differ.
    """
    if frames.shape[1:] != picture.shape:
        raise ValueError(f"frames {list(frames.shape)} and picture {list(picture.shape)}")
    side = 2 * round(reach * picture.shape[1]) + 1
    known = cv2.dilate(_strength(picture), np.ones((side, side), np.uint8)) + _NEW_EDGE
    counted = np.ones(picture.shape[:2], bool)
    for x0, y0, x1, y1 in but:
        counted[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = False
    if not counted.any():
        return 0.0
    return float(np.mean([(_strength(frame) > known)[counted].mean() for frame in frames]))


def _strength(frame: np.ndarray) -> np.ndarray:
    """float32 [H, W]: levels of grey from a pixel to its neighbours."""
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *way) / 8.0 for way in ((1, 0), (0, 1)))
    return np.hypot(across, down)
