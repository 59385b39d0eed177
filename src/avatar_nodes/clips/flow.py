"""The straight way from clean windows to noise, and back along a velocity.

x_s = (1 - s) clean + s noise; the model predicts the velocity noise - clean.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor


def shifted(uniform: np.ndarray, shift: float) -> np.ndarray:
    """Noise levels in 0..1 from uniform draws: a shift over 1 moves more of them to high noise."""
    return shift * uniform / (1.0 + (shift - 1.0) * uniform)


def per_window(sigma: Tensor) -> Tensor:
    """Noise levels [B] or [B, N] as a factor of windows [B, N, C, F, h, w]."""
    return sigma.reshape(*sigma.shape, *[1] * (6 - sigma.ndim))


def noised(clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Windows [B, N, C, F, h, w] at noise levels [B] or [B, N]."""
    s = per_window(sigma)
    return (1 - s) * clean + s * noise


def clean_estimate(x: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """The clean windows that a velocity at sigma [B] or [B, N] points to: x - sigma v."""
    return x - per_window(sigma) * velocity
