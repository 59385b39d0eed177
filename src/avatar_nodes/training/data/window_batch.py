"""A batch of training windows: consecutive blocks of clips, and what they are generated from."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from avatar_nodes.clips.conditions import Conditions


@dataclass(frozen=True)
class WindowBatch:
    """A batch of B training windows of N consecutive blocks."""

    latents: Tensor
    """float32 [B, N, C, F, h, w], clean."""
    sink: Tensor
    """float32 [B, C, 1, h, w]: the reference picture, or an earlier latent of the clip (AAS)."""
    sink_prompt: Tensor
    """int64 [B] into `prompts`: what the sink is read under, the clip's first prompt. A stream
    keeps its sink under the prompt that it began with, too."""
    audio: Tensor
    """float32 [B, N, layers, D, 5 + n]."""
    mouth: Tensor
    """float32 [B, N, 1, F, h, w]: 1 where the mouth is."""
    motion: Tensor
    """float32 [B, N, 1, F, h, w], 0..1: how far the cell differs from the sink."""
    counts: Tensor
    """float32 [B, N]: weight of each block in the loss; 0: it only serves others as past."""
    prompts: list[str]
    """The different prompts of the batch."""
    prompt_index: Tensor
    """int64 [B, N] into `prompts`."""

    def to(self, device: torch.device) -> WindowBatch:
        """The batch with its tensors on `device`."""
        held = ((field.name, getattr(self, field.name)) for field in fields(self))
        moved: dict[str, Any] = {name: x.to(device) for name, x in held if isinstance(x, Tensor)}
        return replace(self, **moved)

    def conditions(self, states: Tensor) -> Conditions:
        """Conditions of the windows; `states` [P, len, text_dim] are those of `prompts`."""
        return Conditions(self.audio, states, self.prompt_index, self.sink, self.sink_prompt)

    def last(self, blocks: int) -> WindowBatch:
        """The last `blocks` blocks of every window."""
        by_block = ("latents", "audio", "mouth", "motion", "counts", "prompt_index")
        cut: dict[str, Any] = {name: getattr(self, name)[:, -blocks:] for name in by_block}
        return replace(self, **cut)

    def rows(self, chosen: slice) -> WindowBatch:
        """Some of the batch's windows, with all prompts."""
        held = ((field.name, getattr(self, field.name)) for field in fields(self))
        cut: dict[str, Any] = {name: x[chosen] for name, x in held if isinstance(x, Tensor)}
        return replace(self, **cut)
