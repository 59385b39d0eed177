"""Measures PSNR and SSIM of pictures against the truth."""

from __future__ import annotations

import cv2
import numpy as np

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def psnr(frames: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of uint8 videos [F, H, W, 3]: the mean over the frames.

    Equal frames count as 100 dB. Raises ValueError when the shapes differ.
    """
    _same(frames, truth)
    pairs = zip(frames, truth, strict=True)
    square = np.array([np.square(a.astype(np.float32) - b).mean() for a, b in pairs], np.float64)
    return float(10.0 * np.log10(255.0**2 / np.maximum(square, 255.0**2 / 1e10)).mean())


def ssim(frames: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity (Wang et al., 2004) of uint8 videos [F, H, W, 3], mean over the frames.

    On grey values, 11x11 Gaussian window of 1.5 pixels. Raises ValueError when the shapes differ.
    """
    _same(frames, truth)
    return float(np.mean([_ssim(_grey(a), _grey(b)) for a, b in zip(frames, truth, strict=True)]))


def _ssim(x: np.ndarray, y: np.ndarray) -> float:
    mx, my = _smooth(x), _smooth(y)
    vx, vy = _smooth(x * x) - mx * mx, _smooth(y * y) - my * my
    both = _smooth(x * y) - mx * my
    top = (2 * mx * my + _C1) * (2 * both + _C2)
    return float((top / ((mx * mx + my * my + _C1) * (vx + vy + _C2)))[5:-5, 5:-5].mean())


def _smooth(x: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(x, (11, 11), 1.5)


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64)


def _same(frames: np.ndarray, truth: np.ndarray) -> None:
    if frames.shape != truth.shape or frames.ndim != 4:
        raise ValueError(f"videos {list(frames.shape)} and {list(truth.shape)} cannot be compared")
