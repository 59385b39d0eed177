"""Long-Short Visual Memory: the last latent frames, and key frames of all that came before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block import Memory
from avatar_nodes.remembering.key_frames import KeyFrameRules, KeyFrames


class RememberedFrame(NamedTuple):
    """A latent frame as memory holds it."""

    block: int
    tokens: Tensor
    """float32 [tokens, dim]."""
    feature: np.ndarray
    """float64 [D], length 1."""


@dataclass(frozen=True, eq=False)
class VisualMemory:
    """What is remembered after a block. A value: `after` returns the memory with a block more.

    A frame enters short memory, leaves it after `short` others, and is then offered to the key
    frames. reference: the feature that key frames must be like; the first frame's, if none is
    given.
    """

    short: int
    recent: tuple[RememberedFrame, ...]
    keys: KeyFrames[RememberedFrame]
    reference: np.ndarray | None = None

    @classmethod
    def empty(
        cls, *, short: int, rules: KeyFrameRules, reference: np.ndarray | None = None
    ) -> VisualMemory:
        """Nothing remembered. Raises ValueError: short below 0."""
        if short < 0:
            raise ValueError(f"short must be >= 0, got {short}")
        return cls(short, (), KeyFrames(rules), reference)

    def after(self, frames: Collection[RememberedFrame]) -> VisualMemory:
        """With the latent frames of the next block, in order."""
        recent = (*self.recent, *frames)
        reference = self.reference
        if reference is None and recent:
            reference = recent[0].feature
        leaving = recent[: max(0, len(recent) - self.short)]
        keys = self.keys
        for frame in leaving:
            assert reference is not None
            keys = keys.offer(frame, frame.feature, reference)
        return replace(self, recent=recent[len(leaving) :], keys=keys, reference=reference)

    def tokens(self, *, version: int, epoch: int, frame_shape: tuple[int, int]) -> Memory:
        """What the stages attend to; frame_shape: [tokens, dim] of a frame."""
        return Memory(
            version=version,
            epoch=epoch,
            blocks=tuple(frame.block for frame in (*self.keys.items, *self.recent)),
            long=_joined(self.keys.items, frame_shape),
            short=_joined(self.recent, frame_shape),
        )


def _joined(frames: tuple[RememberedFrame, ...], frame_shape: tuple[int, int]) -> Tensor:
    if not frames:
        return torch.zeros(0, frame_shape[1])
    return torch.cat([frame.tokens for frame in frames])
