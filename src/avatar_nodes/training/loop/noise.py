"""Draws normal noise from a seed, the same for every number of processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from avatar_nodes.training.loop.distributed import Workers


class Noise:
    """Standard normal float32 tensors, one after the other; a process has its rows of the batch."""

    def __init__(self, seed: int, workers: Workers | None = None) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._workers = workers or Workers()

    def __call__(self, shape: Sequence[int]) -> Tensor:
        """A tensor of `shape`, whose first axis is this process's share of the batch."""
        whole = (shape[0] * self._workers.count, *shape[1:])
        return self._workers.rows(torch.randn(whole, generator=self._generator))
