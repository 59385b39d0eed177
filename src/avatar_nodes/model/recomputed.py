"""Layers of which only the input is kept for the gradient: the rest is computed again for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.checkpoint import checkpoint


def recomputed(layer: Callable[..., Any]) -> Callable[..., Any]:
    """The same layer; where a gradient will be wanted, it runs once more in the backward pass."""

    def computed(*arguments: Any) -> Any:
        return checkpoint(layer, *arguments, use_reentrant=False, preserve_rng_state=False)

    return computed
