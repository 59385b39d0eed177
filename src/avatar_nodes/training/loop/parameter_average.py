"""Keeps an exponential moving average of a module's parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from avatar_nodes.training.loop.distributed import as_laid_out


class ParameterAverage:
    """Exponential moving average of a module's parameters, kept in float32.

    trainable_only: parameters that need no gradient are left out; they do not move.
    """

    def __init__(self, module: nn.Module, *, decay: float, trainable_only: bool = False) -> None:
        self.decay = decay
        self.module = module
        self.values = {
            name: parameter.detach().clone().float()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad or not trainable_only
        }

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the average towards the parameters; faster in the first steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in self.module.named_parameters():
            if name in self.values:
                self.values[name].lerp_(value.float(), 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        return self.values

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for name, value in self.values.items():
            value.copy_(as_laid_out(state[name], value))
