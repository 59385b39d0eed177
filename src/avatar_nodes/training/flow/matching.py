"""Noise levels and loss of flow matching on windows of blocks (Live Avatar, eq. 1 to 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.flow import per_window, shifted
from avatar_nodes.model.prediction import LEAST_SIGMA, Prediction
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.loop.distributed import Workers

_EVEN_SIGMA = 0.5


def draw_sigmas(
    rng: np.random.Generator, shape: tuple[int, int], levels: Sequence[float], share: float, *,
    same_noise_share: float = 0.5,
) -> Tensor:  # fmt: skip
    """Noise levels [B, N]: of each window one for all blocks, or independent ones.

    `share` of the draws are from `levels` (what inference visits), the others uniform, shifted.
    same_noise_share: of the windows, those with one level (of 0.5: the even rows).
    """
    rows, _ = shape
    continuous = shifted(rng.uniform(0.0, 1.0, shape), 3.0)
    chosen = rng.choice(np.asarray(levels), shape)
    sigma = np.where(rng.random((rows, 1)) < share, chosen, continuous)
    counted = np.ceil(np.arange(rows + 1) * same_noise_share)
    same = np.diff(counted) > 0
    sigma[same] = sigma[same, :1]
    return torch.from_numpy(sigma).float()


def cell_weight(batch: WindowBatch, mouth_weight: float, motion_weight: float) -> Tensor:
    """Loss weights [B, N, 1, F, h, w] of a batch's latent cells; 1 where nothing happens, 0 in
    blocks that do not count."""
    weight = 1.0 + (mouth_weight - 1.0) * batch.mouth + (motion_weight - 1.0) * batch.motion
    return weight * per_window(batch.counts)


def level_weight(sigma: Tensor, prediction: Prediction) -> Tensor:
    """Loss weights [B, N or 1, 1, 1, 1, 1] of noise levels [B, N] or [B].

    A velocity made of a difference from the sink is the more wrong the smaller sigma is, by 1 /
    sigma; so that a few nearly clean windows do not drown the others, the weight holds their loss
    at that of sigma = 0.5.
    """
    if prediction == "velocity":
        return torch.ones_like(per_window(sigma))
    return per_window(sigma).div(_EVEN_SIGMA).clamp(LEAST_SIGMA / _EVEN_SIGMA, 1.0).square()


def flow_matching_loss(
    velocity: Tensor, target: Tensor, mouth: Tensor, weight: Tensor, workers: Workers | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted mean square error of the velocity (paper eq. 3); (total, mouth part, rest).

    velocity, target [B, N, C, F, h, w]; mouth, weight [B, N, 1, F, h, w]. With several processes,
    the mean over them of what this gives is the loss of all their windows together.
    """

    def share(x: Tensor) -> Tensor:
        return x if workers is None else workers.mean(x)

    square = (velocity - target).square().mean(dim=2, keepdim=True)
    total = (square * weight).sum() / share(weight.sum())
    inside = (square * mouth).sum() / share(mouth.sum()).clamp_min(1.0)
    outside = (square * (1 - mouth)).sum() / share((1 - mouth).sum()).clamp_min(1.0)
    return total, inside, outside
