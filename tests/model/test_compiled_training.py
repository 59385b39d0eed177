"""Training through compiled layers learns what training through plain ones does."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.dit import WanS2V

torch.manual_seed(1)
WINDOW = (
    torch.randn(1, 3, 4, 3, 8, 8), torch.rand(1, 3) * 1000, torch.randn(1, 3, 1, 6, 17),
    torch.randn(1, 3, 8, 16), torch.randn(1, 4, 1, 8, 8),
)  # fmt: skip
WHOLE = (
    torch.randn(1, 4, 6, 8, 8), torch.rand(1) * 1000, torch.randn(2, 8, 16),
    torch.randn(1, 4, 1, 8, 8), torch.randn(1, 1, 6, 24),
)  # fmt: skip
PROMPTS = {"prompt_index": torch.tensor([[0, 1]])}


@pytest.mark.parametrize(
    "small_model", [{"num_layers": 2, "audio_inject_layers": (0,)}], indirect=True
)
@pytest.mark.parametrize(
    ("method", "arguments", "named"), [("forward_window", WINDOW, {}), ("forward", WHOLE, PROMPTS)]
)
def test_compiled_layers_give_the_same_gradients(
    small_model: WanS2V, method: str, arguments: tuple[Tensor, ...], named: dict[str, Tensor]
) -> None:
    def gradients() -> dict[str, Tensor]:
        small_model.zero_grad()
        getattr(small_model, method)(*arguments, **named).square().mean().backward()
        parameters = small_model.named_parameters()
        return {name: p.grad.clone() for name, p in parameters if p.grad is not None}

    plain = gradients()
    names = small_model.state_dict().keys()
    small_model.compile_training(backend="aot_eager")  # captured as ever, but no C++
    compiled = gradients()
    assert small_model.state_dict().keys() == names
    assert compiled.keys() == plain.keys()
    for name, gradient in plain.items():
        assert_close(compiled[name], gradient, atol=1e-5, rtol=1e-3)
