"""Few-step flow matching: x_s = (1 - s) clean + s noise, velocity = noise - clean, Euler steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from avatar_nodes.errors.configuration_error import ConfigurationError


class ScheduleError(ConfigurationError):
    """Noise levels that no schedule can have."""


@dataclass(frozen=True)
class Schedule:
    """Noise levels of T steps and a final 0, strictly falling from at most 1."""

    sigmas: tuple[float, ...]

    def __init__(self, sigmas: Iterable[float]) -> None:
        levels = tuple(float(s) for s in sigmas)
        falling = all(a > b for a, b in pairwise(levels))
        if len(levels) < 2 or not falling or not levels[0] <= 1 or levels[-1] != 0:
            raise ScheduleError(f"sigmas must fall from at most 1 to 0, got {list(levels)}")
        object.__setattr__(self, "sigmas", levels)

    @property
    def num_steps(self) -> int:
        return len(self.sigmas) - 1

    def timestep(self, step: int) -> float:
        """What the model is told at `step`, 0..1000."""
        return 1000 * self.sigmas[step]

    def advance(self, step: int, x: Tensor, velocity: Tensor) -> Tensor:
        """x after `step`: one Euler step to the next level."""
        return torch.add(x, velocity, alpha=self.sigmas[step + 1] - self.sigmas[step])

    def noised(self, step: int, clean: Tensor, noise: Tensor) -> Tensor:
        """The clean latent at the noise level of `step`."""
        return torch.lerp(clean, noise, self.sigmas[step])
