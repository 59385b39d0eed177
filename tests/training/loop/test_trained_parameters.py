"""What of a model a run saves."""

import pytest
import torch
from torch import nn

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.training.loop.trained_parameters import TrainedParameters


def _module(width: int = 3) -> nn.Sequential:
    module = nn.Sequential(nn.Linear(2, width), nn.Linear(width, 1))
    module[0].requires_grad_(False)
    return module


def test_only_what_moves_is_saved_and_restored() -> None:
    module, other = _module(), _module()
    state = TrainedParameters(module).state_dict()
    assert set(state) == {"1.weight", "1.bias"}
    frozen = other[0].weight.clone()
    TrainedParameters(other).load_state_dict({**state, "0.weight": torch.zeros(3, 2)})
    assert torch.equal(other[1].weight, module[1].weight)
    assert torch.equal(other[0].weight, frozen)  # of a state that held all


@pytest.mark.parametrize("change", [{"1.bias": None}, {"1.weight": torch.zeros(1, 4)}])
def test_the_state_of_another_model_is_refused(change: dict[str, torch.Tensor | None]) -> None:
    state = {**TrainedParameters(_module()).state_dict(), **change}
    held = {name: value for name, value in state.items() if value is not None}
    with pytest.raises(CheckpointError, match="the saved state is of another model: 1"):
        TrainedParameters(_module()).load_state_dict(held)
