"""A stage's past: the last blocks' keys and values, and what they were computed from.

Because a block's inputs are kept, its keys and values can be computed again: under another prompt
(Cache-Switching), or from nothing when an epoch begins. Both are `take`, block after block.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from avatar_nodes.denoising.kv_cache import RollingKVCache
from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.rope import RopeTable


class Conditions(NamedTuple):
    """What the model is told of a block beside its latent."""

    sound: AudioTokens
    text: TextKV
    sink: SinkKV
    memory: MemoryKV | None
    places: tuple[Places, ...]
    """Of sink and motion context, for each step of the stage."""

    def key_rope(self, model: WanS2V, step: int, x: Tensor, past: int) -> RopeTable:
        """Rotation of all that the block x [C, F, H, W] sees at the stage's step with this index,
        `past` blocks among it.
        """
        return model.key_rope(x, past, self.places[step], motion=self.sink.has_motion)


class _PastBlock(NamedTuple):
    conditions: Conditions
    inputs: tuple[Tensor, ...]
    """For each level what the model saw of the block, float32 [C, 3, H, W] on its device."""


class PastWindow:
    """The last `capacity` blocks at each of `levels` (timesteps, 0..1000), a cache for each.

    kept: indices of levels whose caches a switch leaves as they are. A block joins in two steps:
    `put` at every level, then `join`. One that is given up between the two leaves a window that is
    good for `clear` only.
    """

    def __init__(
        self, model: WanS2V, levels: Sequence[float], capacity: int, *, kept: Sequence[int] = ()
    ) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._levels = tuple(levels)
        self._kept = tuple(kept)
        self._switched = tuple(n for n in range(len(self._levels)) if n not in self._kept)
        self._capacity = capacity
        self._timesteps = [torch.tensor([level], device=self._device) for level in self._levels]
        self._caches = [RollingKVCache(capacity) for _ in self._levels]
        self._blocks: deque[_PastBlock] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._blocks)

    def empty(self) -> PastWindow:
        """Another one of the same kind, without a block."""
        return PastWindow(self._model, self._levels, self._capacity, kept=self._kept)

    def clear(self) -> None:
        """Forgets every block."""
        self._blocks.clear()
        for cache in self._caches:
            cache.clear()

    @property
    def is_full(self) -> bool:
        """Whether the next block takes the place of the oldest."""
        return len(self._blocks) == self._capacity

    def seen_from(self, level: int) -> tuple[BlockKV, ...]:
        """Keys and values at the level with this index, oldest block first."""
        return self._caches[level].blocks

    def room(self, level: int) -> BlockKV | None:
        """Buffers for the next block's keys and values at this level, which `put` then does not
        have to copy: see `RollingKVCache.room`.
        """
        return self._caches[level].room

    def put(self, level: int, kv: BlockKV) -> None:
        """The next block's keys and values at one level."""
        self._caches[level].append(kv)

    def join(self, conditions: Conditions, inputs: Sequence[Tensor]) -> None:
        """The block that was `put` at every level is part of the past."""
        self._blocks.append(_PastBlock(conditions, tuple(inputs)))

    def take(self, conditions: Conditions, inputs: Sequence[Tensor]) -> None:
        """A block joins; its keys and values are computed from its inputs (one for each level), the
        sink and the blocks that are here.
        """
        self._take(conditions, [x.to(self._device) for x in inputs], range(len(self._levels)))

    def switch(self, text: TextKV) -> None:
        """Every block anew as if it had been under the prompt `text`, oldest first.

        The blocks keep their inputs, sound, sink and memory. The oldest sees these and itself, the
        next one also the oldest as it is now, and so on: a window that began with the oldest block,
        and had the prompt all along, would hold the same bits.
        """
        blocks = list(self._blocks)
        self._blocks.clear()
        for level in self._switched:
            self._caches[level].clear()
        self._take_under(text, blocks)

    def become_switched(self, other: PastWindow, text: TextKV) -> None:
        """Is what `other` would be after `switch`, and no longer what it was; `other` stays."""
        self.clear()
        for level in self._kept:
            for kv in other.seen_from(level):
                self.put(level, kv)
        self._take_under(text, other._blocks)

    def _take_under(self, text: TextKV, blocks: Iterable[_PastBlock]) -> None:
        for block in blocks:
            self._take(block.conditions._replace(text=text), block.inputs, self._switched)

    def _take(
        self, conditions: Conditions, inputs: Sequence[Tensor], levels: Iterable[int]
    ) -> None:
        if len(inputs) != len(self._levels):
            raise ValueError(f"expected {len(self._levels)} inputs, got {len(inputs)}")
        for level in levels:
            self.put(level, self._keys_values(level, inputs[level], conditions))
        self.join(conditions, inputs)

    def _keys_values(self, level: int, x: Tensor, conditions: Conditions) -> BlockKV:
        """A finished block, the only level of a clean cache, sees the sink as its first step."""
        past = self.seen_from(level)
        return self._model.block_keys_values(
            x[None],
            self._timesteps[level],
            conditions.sound,
            conditions.text,
            conditions.sink,
            past,
            key_rope=conditions.key_rope(self._model, level, x, len(past)),
            memory=conditions.memory,
            room=self.room(level),
        )
