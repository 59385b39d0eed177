"""Training through compiled layers learns what training through plain ones does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.dit import WanS2V


def test_compiled_layers_give_the_same_gradients(small_model: WanS2V) -> None:
    torch.manual_seed(1)
    arguments = (
        torch.randn(1, 3, 4, 3, 8, 8), torch.rand(1, 3) * 1000, torch.randn(1, 3, 1, 6, 17),
        torch.randn(1, 3, 8, 16), torch.randn(1, 4, 1, 8, 8),
    )  # fmt: skip

    def gradients() -> dict[str, Tensor]:
        small_model.zero_grad()
        small_model.forward_window(*arguments).square().mean().backward()
        named = small_model.named_parameters()
        return {name: p.grad.clone() for name, p in named if p.grad is not None}

    plain = gradients()
    names = small_model.state_dict().keys()
    small_model.compile_training(backend="aot_eager")  # captured as ever, but no C++
    compiled = gradients()
    assert small_model.state_dict().keys() == names
    assert compiled.keys() == plain.keys()
    for name, gradient in plain.items():
        assert_close(compiled[name], gradient, atol=1e-5, rtol=1e-3)
