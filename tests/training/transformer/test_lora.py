"""Low-rank adapters: how many, that attention's fused weights see them, and merging."""

from __future__ import annotations

import pytest
import torch
from support.training_run import CONFIG
from torch import Tensor

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.transformer.lora import LowRank, add_adapters, merged_weights


@pytest.fixture
def arguments() -> tuple[Tensor, ...]:
    torch.manual_seed(1)
    return (
        torch.randn(1, 8, 6, 4, 4), torch.tensor([400.0]), torch.randn(1, 5, 16),
        torch.randn(1, 8, 1, 4, 4), torch.randn(1, 1, 160, 24),
    )  # fmt: skip


def test_the_large_model_has_as_many_adapters_as_the_published_one() -> None:
    with torch.device("meta"):
        model = WanS2V(DiTConfig())
        assert add_adapters(model, LowRank(rank=128, alpha=64)) == 448
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * 448
    assert all(".lora_" in name for name in trained)


def test_merged_weights_compute_what_the_adapted_model_does(arguments: tuple[Tensor, ...]) -> None:
    torch.manual_seed(0)
    model = WanS2V(CONFIG)
    with torch.no_grad():
        model.head.head.weight.normal_(std=0.2)
        model.audio_injector.injector[0].o.weight.normal_(std=0.2)
    before = model(*arguments)
    add_adapters(model, LowRank(rank=4, alpha=2))
    assert torch.equal(model(*arguments), before)  # they begin as nothing
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_(std=0.3)
    adapted = model(*arguments)
    assert (adapted - before).abs().max() > 0.01
    merged = WanS2V(CONFIG)
    merged.load_state_dict(dict(merged_weights(model)))
    torch.testing.assert_close(merged(*arguments), adapted, atol=1e-4, rtol=1e-4)


def test_every_adapter_learns(arguments: tuple[Tensor, ...]) -> None:
    torch.manual_seed(0)
    model = WanS2V(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    add_adapters(model, LowRank(rank=2, alpha=2))
    model(*arguments).square().mean().backward()
    silent = [
        name
        for name, parameter in model.named_parameters()
        if ".lora_B." in name and (parameter.grad is None or not parameter.grad.any())
    ]
    assert silent == []
