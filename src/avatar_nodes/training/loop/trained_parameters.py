"""Saves and restores the trained parameters of a module."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.training.loop.distributed import as_laid_out


class TrainedParameters:
    """The parameters of a module that need a gradient, as a part of a run's state. A resumed run
    builds the module anew, which brings the others.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def state_dict(self) -> dict[str, Tensor]:
        named = self._module.named_parameters()
        return {name: parameter.detach() for name, parameter in named if parameter.requires_grad}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Other entries of `state` are ignored. Raises CheckpointError: a parameter is missing, or
        of another shape.
        """
        for name, value in self.state_dict().items():
            found = tuple(state[name].shape) if name in state else None
            if found != tuple(value.shape):
                raise CheckpointError(
                    f"the saved state is of another model: {name} is {found or 'not in it'},"
                    f" expected {tuple(value.shape)}"
                )
            value.copy_(as_laid_out(state[name], value))
