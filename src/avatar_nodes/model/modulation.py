"""Adaptive layer-norm modulation: what a timestep does to the tokens (Wan2.2-S2V, as in DiT)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFT_ATTENTION, SCALE_ATTENTION, GATE_ATTENTION, SHIFT_FFN, SCALE_FFN, GATE_FFN = range(6)


def sinusoid(t: Tensor, freq_dim: int) -> Tensor:
    """Timestep features float32 [B, freq_dim] of t [B] in 0..1000: cosines, then sines, from
    float64.
    """
    half = freq_dim // 2
    exponents = torch.arange(half, dtype=torch.float64, device=t.device) / half
    angles = t.double()[:, None] * 10000.0**-exponents
    return torch.cat([angles.cos(), angles.sin()], dim=1).float()


class TimeEmbedding(NamedTuple):
    """embedding [B, dim] for the head; rows [B, 6, dim] for the layers."""

    embedding: Tensor
    rows: Tensor


class Modulation(NamedTuple):
    """Modulation rows [B, R, dim] of one layer."""

    rows: Tensor

    def scale_shift(self, x: Tensor, shift: int, scale: int) -> Tensor:
        """x [B, S, dim], already normalised, scaled by (1 + row `scale`) and shifted by row
        `shift`.
        """
        return torch.addcmul(self.rows[:, shift, None], x, 1 + self.rows[:, scale, None])

    def gated(self, x: Tensor, update: Tensor, gate: int) -> Tensor:
        """x + update * row `gate`, in the dtype of x."""
        return torch.addcmul(x, update.to(x.dtype), self.rows[:, gate, None])


class Head(nn.Module):
    """Last projection: tokens [B, S, dim] to patches [B, S, patch volume * out_dim], in float32."""

    def __init__(self, dim: int, out_features: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.head = nn.Linear(dim, out_features)
        self.modulation = nn.Parameter(torch.randn(1, 2, dim) / dim**0.5)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """time [B, dim]: the un-projected time embedding."""
        with torch.autocast(x.device.type, enabled=False):
            x = F.layer_norm(x.float(), x.shape[-1:], eps=self.eps)
            return self.head(Modulation(self.modulation + time[:, None]).scale_shift(x, 0, 1))
