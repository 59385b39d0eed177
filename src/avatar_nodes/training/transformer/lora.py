"""Puts low-rank adapters on the transformer's heavy matrices, by peft (Live Avatar, section 5.1).

The matrices are those of the published Live Avatar adapter (`heavy_layers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.heavy_layers import HEAVY_LAYERS
from avatar_nodes.model.load_tensors import compare_tensors
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.tensor_files import CheckpointError, read_tensors, tensor_shapes
from avatar_nodes.training.loop.distributed import as_laid_out, whole

LORA = "lora.safetensors"
"""File that a stage exports when it trains adapters over published weights; profiles name it as
their `model.lora`."""
_ADAPTER = "default"


@dataclass(frozen=True)
class LowRank:
    """Rank and alpha of the adapters; their output is scaled by alpha / rank."""

    rank: int = 128
    """0: none, all weights are trained."""
    alpha: int = 64

    @property
    def scale(self) -> float:
        """A profile's `model.lora_scale`."""
        return self.alpha / self.rank


def add_adapters(dit: WanS2V, options: LowRank) -> int:
    """Put adapters on `dit`, in place, and freeze all else; returns how many.

    The adapters begin as nothing (their second factor is zero), so the model is as it was.
    """
    from peft import LoraConfig, inject_adapter_in_model  # a second, spared to who needs none

    dit.requires_grad_(False)
    config = LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=HEAVY_LAYERS)
    inject_adapter_in_model(config, dit, adapter_name=_ADAPTER)
    return sum(1 for _ in _adapted(dit))


def merged_weights(
    dit: WanS2V, values: Mapping[str, Tensor] | None = None
) -> Iterator[tuple[str, Tensor]]:
    """Float32 weights under their published names, with the adapters merged in; one after the
    other, whole (all processes must ask).

    values: taken instead of the parameters (an average of them, for instance)."""
    parameters = dict(dit.named_parameters()) if values is None else dict(values)
    scales = {name: cast(Any, layer).scaling[_ADAPTER] for name, layer in _adapted(dit)}

    def gathered(name: str) -> Tensor:
        return cast(Tensor, whole(parameters[name].detach())).float()

    for name in parameters:
        if ".lora_" in name:
            continue
        layer = name.removesuffix(".base_layer.weight")
        weight = gathered(name)
        if layer in scales:
            first = gathered(f"{layer}.lora_A.{_ADAPTER}.weight")
            second = gathered(f"{layer}.lora_B.{_ADAPTER}.weight")
            weight = torch.addmm(weight, second, first, alpha=scales[layer])
        yield name.replace(".base_layer.", "."), weight


def save_adapters(tensors: Mapping[str, Tensor], path: Path, options: LowRank) -> None:
    """Write adapters under peft's names, as Live Avatar's are; the file says rank and alpha."""
    about = {"format": "pt", "rank": str(options.rank), "alpha": str(options.alpha)}
    partial = path.with_suffix(".partial")
    save_file(dict(tensors), partial, metadata=about)
    partial.replace(path)


def adapter_options(path: Path) -> LowRank:
    """Rank and alpha of a file of `save_adapters`. Raises CheckpointError: it is none."""
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            return LowRank(int(about["rank"]), int(about["alpha"]))
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is no safetensors file: {error}") from error
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: does not say its rank and alpha") from error


def lora_file(path: Path) -> LoraFile:
    """A file of `save_adapters`, to be merged into weights. Raises CheckpointError."""
    return LoraFile(path, scale=adapter_options(path).scale)


def put_adapters(dit: WanS2V, path: Path, options: LowRank) -> None:
    """Go on with the adapters of a file in the place of those that `dit` has.

    Raises CheckpointError: they are of another rank or alpha, or on other layers.
    """
    found = adapter_options(path)
    if found != options:
        raise CheckpointError(
            f"{path}: its rank is {found.rank} and its alpha {found.alpha}, the recipe has"
            f" {options.rank} and {options.alpha}; all stages train the same adapters"
        )
    own = {name: x for name, x in dit.named_parameters() if ".lora_" in name}
    tensors = dict(read_tensors(path, tensor_shapes(path)))
    problems = compare_tensors(own, tensors)
    if problems:
        raise CheckpointError(f"{path}: does not fit this model: {'; '.join(problems)}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(as_laid_out(tensors[name].to(parameter.dtype), parameter))


def _adapted(dit: WanS2V) -> list[tuple[str, nn.Module]]:
    return [(name, layer) for name, layer in dit.named_modules() if hasattr(layer, "lora_A")]
