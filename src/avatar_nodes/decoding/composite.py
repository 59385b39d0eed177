"""Puts a frame together: the reference picture, warped, and what the decoder has drawn."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np


def composite(
    picture: np.ndarray, *, drawn: np.ndarray, flow: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """The frame, uint8 RGB [H, W, 3], of the size of the reference `picture`, uint8 [H, W, 3].

    It may be larger than what was `drawn`, uint8 [h, w, 3]: what is taken from the picture is as
    sharp as that. flow float32 [2, h/4, w/4], mask float32 [h, w]: see
    `model.reference_decoder.Painting`.
    """
    height, width = picture.shape[:2]
    size = (width, height)
    columns, rows = _places(height, width)
    right, below = (cv2.resize(part, size, interpolation=cv2.INTER_LINEAR) for part in flow)
    np.multiply(right, width, out=right)
    np.multiply(below, height, out=below)
    right += columns
    below += rows
    warped = cv2.remap(picture, right, below, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR)
    if drawn.shape[:2] != (height, width):
        drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_LINEAR)
    return cv2.blendLinear(warped, drawn, share, 1.0 - share)


@lru_cache(maxsize=2)
def _places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Every pixel's own column, float32 [1, W], and row, [H, 1]."""
    return (
        np.arange(width, dtype=np.float32)[None],
        np.arange(height, dtype=np.float32)[:, None],
    )
