"""A LoRA file, merged into the transformer's weights while these are loaded (Live Avatar).

A mistake in the names of an adapter is silent: the weights stay what they were, and the avatar is a
little worse. So each pair has to have its layer, and each layer its pair.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avatar_nodes.model.heavy_layers import HEAVY_LAYERS
from avatar_nodes.model.load_tensors import compare_shapes
from avatar_nodes.model.tensor_files import CheckpointError, Shape, read_tensors, tensor_shapes

_NAME = re.compile(r"(base_model\.model\.)?(?P<layer>.+)\.lora_(?P<side>[AB])(\.default)?\.weight")
_LAYER = re.compile(HEAVY_LAYERS)


class _Pair(NamedTuple):
    """The names of a layer's two factors: what they add is scale * second @ first."""

    first: str
    second: str


class LoraFile:
    """Reads a safetensors file of LoRA pairs: `<layer>.lora_A.weight` [r, in] and `lora_B` [out,
    r], with or without `base_model.model.` before and `.default` inside.

    scale: alpha / r, which the file does not say (Live Avatar: 64 / 128).
    """

    def __init__(self, path: Path | str, *, scale: float) -> None:
        """Raises CheckpointError: no such file, or a tensor that is no half of a pair."""
        self.path = Path(path)
        self.scale = scale
        self._shapes = tensor_shapes(self.path)
        sides: dict[str, dict[str, str]] = {}
        strange = []
        for name in self._shapes:
            match = _NAME.fullmatch(name)
            if match is None:
                strange.append(name)
            else:
                sides.setdefault(match["layer"], {})[match["side"]] = name
        single = sorted(layer for layer, names in sides.items() if len(names) == 1)
        problems = [
            f"{kind}: {', '.join(sorted(names))}"
            for kind, names in (("not of a LoRA", strange), ("one of two factors", single))
            if names
        ]
        if problems or not sides:
            raise CheckpointError(f"{self.path}: {'; '.join(problems) or 'no tensors in it'}")
        self._pairs = {layer: _Pair(names["A"], names["B"]) for layer, names in sides.items()}
        self._merged: set[str] = set()

    @property
    def merged(self) -> int:
        """How many layers have been merged."""
        return len(self._merged)

    def check(self, model: nn.Module) -> int:
        """How many layers it adapts: all that Live Avatar adapts of such a model.

        Raises:
            CheckpointError: naming every layer without a pair, pair without a layer, and factor of
                a wrong shape.
        """
        expected: dict[str, Shape] = {}
        found: dict[str, Shape] = {}
        for name, layer in model.named_modules():
            if isinstance(layer, nn.Linear) and _LAYER.fullmatch(name):
                rank = self._rank(name)
                expected[f"{name}.lora_A"] = (rank, layer.in_features)
                expected[f"{name}.lora_B"] = (layer.out_features, rank)
        for name, pair in self._pairs.items():
            found[f"{name}.lora_A"] = self._shapes[pair.first]
            found[f"{name}.lora_B"] = self._shapes[pair.second]
        problems = compare_shapes(expected, found)
        if problems:
            raise CheckpointError(
                f"{self.path}: has {len(self._pairs)} layers, the model {len(expected) // 2}:"
                f" {'; '.join(problems)}"
            )
        return len(self._pairs)

    def merge(self, name: str, weight: Tensor) -> Tensor:
        """The weight [out, in] of that name with what the file adds to it, in float32; any other
        tensor as it is.
        """
        layer = name.removesuffix(".weight")
        pair = self._pairs.get(layer)
        if pair is None or layer == name:
            return weight
        factors = dict(read_tensors(self.path, pair))
        first, second = (factors[half].to(weight.device, torch.float32) for half in pair)
        self._merged.add(layer)
        return torch.addmm(weight.float(), second, first, alpha=self.scale)

    def require_all_merged(self) -> None:
        """Raises CheckpointError if a pair was not used."""
        left = sorted(self._pairs.keys() - self._merged)
        if left:
            raise CheckpointError(f"{self.path}: not merged: {', '.join(left)}")

    def _rank(self, layer: str) -> int:
        pair = self._pairs.get(layer)
        return 0 if pair is None else self._shapes[pair.first][0]
