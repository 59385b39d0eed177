"""Low-rank adapters on the transformer's heavy matrices, through peft (Live Avatar, section 5.1).

The matrices are those of the published Live Avatar adapter (`heavy_layers`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.heavy_layers import HEAVY_LAYERS

_ADAPTER = "default"


@dataclass(frozen=True)
class LowRank:
    """Rank and alpha of the adapters; what they add is scaled by alpha / rank."""

    rank: int = 128
    """0: none, all weights are trained."""
    alpha: int = 64


def add_adapters(dit: WanS2V, options: LowRank) -> int:
    """Put adapters on `dit`, in place, and freeze all else; returns how many.

    The adapters begin as nothing (their second factor is zero), so the model is as it was.
    """
    from peft import LoraConfig, inject_adapter_in_model  # a second, spared to who needs none

    dit.requires_grad_(False)
    config = LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=HEAVY_LAYERS)
    inject_adapter_in_model(config, dit, adapter_name=_ADAPTER)
    return sum(1 for _ in _adapted(dit))


def merged_weights(dit: WanS2V, values: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Float32 weights under their published names, what the adapters add merged in.

    values: what to take instead of the parameters (an average of them, for instance).
    """
    parameters = dict(dit.named_parameters()) if values is None else dict(values)
    scales = {name: cast(Any, layer).scaling[_ADAPTER] for name, layer in _adapted(dit)}
    weights: dict[str, Tensor] = {}
    for name, value in parameters.items():
        if ".lora_" in name:
            continue
        layer = name.removesuffix(".base_layer.weight")
        weight = value.detach().float()
        if layer in scales:
            first = parameters[f"{layer}.lora_A.{_ADAPTER}.weight"].detach().float()
            second = parameters[f"{layer}.lora_B.{_ADAPTER}.weight"].detach().float()
            weight = torch.addmm(weight, second, first, alpha=scales[layer])
        weights[name.replace(".base_layer.", ".")] = weight
    return weights


def _adapted(dit: WanS2V) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in dit.named_modules() if hasattr(layer, "lora_A")]
