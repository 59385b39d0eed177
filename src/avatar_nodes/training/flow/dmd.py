"""Distribution matching distillation: the gradient between two scores (Live Avatar, eq. 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.conditions import Conditions
from avatar_nodes.clips.flow import clean_estimate, noised, shifted
from avatar_nodes.clips.guidance import Guidance, guided_velocity, whole_velocity
from avatar_nodes.model.dit import WanS2V

_LEAST_DISTANCE = 0.05
"""Windows nearer to the estimate than that (in latents of deviation 1) are not scaled further up:
what is left there is rounding."""


@dataclass(frozen=True)
class ScoreNoise:
    """Noise levels at which the scores compare windows: uniform in low..high, then shifted."""

    low: float = 0.02
    high: float = 0.98
    shift: float = 3.0

    def draw(self, rng: np.random.Generator, size: int) -> Tensor:
        """float32 [size]."""
        uniform = shifted(rng.uniform(self.low, self.high, size), self.shift)
        return torch.from_numpy(uniform).float()


class MatchingGradient(NamedTuple):
    """The gradient of the matching loss, and a figure to watch."""

    gradient: Tensor
    """[B, N, C, F, h, w], with respect to the clean windows, of a mean over their elements."""
    distance: float
    """Mean absolute difference of the two estimates."""


def matching_gradient(clean: Tensor, real: Tensor, fake: Tensor, normalise: bool) -> Tensor:
    """Gradient of the matching loss: fake minus real estimate, per element of the mean, [B, N, C,
    3, h, w].

    normalise: divided by each window's mean distance from the real estimate, so that all noise
    levels weigh alike (as DMD does).
    """
    difference = fake - real
    if normalise:
        scale = (clean - real).abs().mean(dim=(1, 2, 3, 4, 5), keepdim=True)
        difference = difference / scale.clamp_min(_LEAST_DISTANCE)
    return difference / difference.numel()


def truth_gradient(clean: Tensor, truth: Tensor, weight: Tensor) -> tuple[Tensor, float]:
    """Gradient that pulls windows to their truth: weighted difference, per element of the mean and
    divided by each window's mean distance; and that distance.

    clean, truth [B, N, C, F, h, w]; weight [B, N, 1, F, h, w].
    """
    difference = clean - truth
    distance = difference.abs().mean(dim=(1, 2, 3, 4, 5), keepdim=True)
    gradient = weight * difference / distance.clamp_min(_LEAST_DISTANCE)
    gradient = gradient / weight.mean(dim=(1, 2, 3, 4, 5), keepdim=True)
    return gradient / difference.numel(), distance.mean().item()


@torch.no_grad()
def compare_scores(
    clean: Tensor, sigma: Tensor, noise: Tensor, *, real: WanS2V, fake: WanS2V,
    real_conditions: Conditions, fake_conditions: Conditions, guidance: Guidance, normalise: bool,
) -> MatchingGradient:  # fmt: skip
    """Noise the clean windows to sigma [B] and compare the estimates of both scores.

    Only the real score is guided.
    """
    x = noised(clean, noise, sigma)
    wanted = guided_velocity(real, x, sigma, real_conditions, guidance).float()
    made = whole_velocity(fake, x, sigma, fake_conditions).float()
    real_clean, fake_clean = clean_estimate(x, wanted, sigma), clean_estimate(x, made, sigma)
    gradient = matching_gradient(clean, real_clean, fake_clean, normalise)
    return MatchingGradient(gradient, (fake_clean - real_clean).abs().mean().item())
