"""Measures colour drift: levels by which the picture as a whole has moved from its reference."""

from __future__ import annotations

import numpy as np


def colour_shift(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float32 [F], levels of 0..255: uint8 RGB frames [F, H, W, 3] against one picture [H, W, 3].

    For each channel the median over the pixels of the difference, so that what moves (an arm, lips)
    does not count; then the mean of its size over the channels.
    Raises:
        ValueError: the sizes differ.
    """
    if frames.shape[1:] != reference.shape:
        raise ValueError(f"frames {list(frames.shape)} and reference {list(reference.shape)}")
    small = frames[:, ::2, ::2].astype(np.int16)
    difference = small - reference[None, ::2, ::2].astype(np.int16)
    return np.abs(np.median(difference, axis=(1, 2))).mean(axis=1).astype(np.float32)


def sharpness(frames: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """float32 [F]: strength of a frame's edges over that of the reference's; 1 is as sharp."""
    return (_edges(frames) / max(float(_edges(reference[None])[0]), 1e-6)).astype(np.float32)


def _edges(frames: np.ndarray) -> np.ndarray:
    grey = frames.astype(np.float32).mean(axis=3)
    return np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) + np.abs(np.diff(grey, axis=2)).mean(
        axis=(1, 2)
    )
