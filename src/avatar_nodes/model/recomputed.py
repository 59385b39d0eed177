"""Layers of which only the input is kept for the gradient: the rest is computed again for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from torch.utils.checkpoint import checkpoint

Block = TypeVar("Block")
Inputs = TypeVar("Inputs")
Result = TypeVar("Result")


def recomputed(layer: Callable[[Block, Inputs], Result]) -> Callable[[Block, Inputs], Result]:
    """The same layer; where a gradient will be wanted, it runs once more in the backward pass."""

    def computed(block: Block, inputs: Inputs) -> Result:
        made = checkpoint(layer, block, inputs, use_reentrant=False, preserve_rng_state=False)
        return cast(Result, made)

    return computed
