"""Noise of a block: a pure function of the stream's seed and the block's index in the stream."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def block_noise(seed: int, block: int, shape: Sequence[int]) -> Tensor:
    """Standard normal float32 tensor of `shape`; seed and block are 0 .. 2**64 - 1.

    Philox is keyed by (seed, block), so no two blocks share a stream and nothing is drawn in
    between.
    """
    if not (0 <= seed < 2**64 and 0 <= block < 2**64):
        raise ValueError(f"seed {seed} and block {block} must be in 0 .. 2**64 - 1")
    bits = np.random.Philox(key=np.array([seed, block], dtype=np.uint64))
    return torch.from_numpy(np.random.Generator(bits).standard_normal(tuple(shape), np.float32))
