"""Makes windows as of a stream that switches its caches to a new prompt (Cache-Switching)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.training.data.window_batch import WindowBatch

Batch = TypeVar("Batch", bound=WindowBatch)


def prompt_changes(prompt_index: Tensor) -> list[int]:
    """Blocks of a row [N] whose prompt is another than that of the block before."""
    return (torch.nonzero(prompt_index[1:] != prompt_index[:-1]).flatten() + 1).tolist()


def switched(batch: Batch, share: float, rng: np.random.Generator) -> Batch:
    """In a share of the windows in which the prompt changes, the past reads the new one, too.

    The blocks before the last change bear the prompt that comes with it, and do not count in the
    loss: they show what the old prompt asked for. So a model learns that a past which has not begun
    what its prompt says is one to go on from, where it would otherwise jump to the midst of it. The
    sink keeps its prompt, as in the stream.
    """
    if not share:
        return batch
    index, counts = batch.prompt_index.clone(), batch.counts.clone()
    for row, prompts in enumerate(batch.prompt_index):
        changes = prompt_changes(prompts)
        if changes and rng.random() < share:
            change = changes[-1]
            index[row, :change] = prompts[change]
            counts[row, :change] = 0.0
    return replace(batch, prompt_index=index, counts=counts)
