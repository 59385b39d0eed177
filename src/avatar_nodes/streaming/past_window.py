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

from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.streaming.kv_cache import RollingKVCache


class Conditions(NamedTuple):
    """What the model is told of a block beside its latent."""

    sound: AudioTokens
    text: TextKV
    sink: SinkKV
    memory: MemoryKV | None
    sink_position: int


class _PastBlock(NamedTuple):
    conditions: Conditions
    inputs: tuple[Tensor, ...]
    """For each level what the model saw of the block, float32 [C, 3, H, W] on the CPU."""


class PastWindow:
    """The last `capacity` blocks at each of `levels` (timesteps, 0..1000), a cache for each."""

    def __init__(self, model: WanS2V, levels: Sequence[float], capacity: int) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._levels = tuple(levels)
        self._capacity = capacity
        self._caches = [RollingKVCache(capacity) for _ in self._levels]
        self._blocks: deque[_PastBlock] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._blocks)

    def clear(self) -> None:
        """Forgets every block."""
        self._blocks.clear()
        for cache in self._caches:
            cache.clear()

    def seen_from(self, level: int) -> tuple[BlockKV, ...]:
        """Keys and values at the level with this index, oldest block first."""
        return self._caches[level].blocks

    def append(
        self, conditions: Conditions, inputs: Sequence[Tensor], kvs: Sequence[BlockKV]
    ) -> None:
        """A block joins whose keys and values of every level are known."""
        for cache, kv in zip(self._caches, kvs, strict=True):
            cache.append(kv)
        self._blocks.append(_PastBlock(conditions, tuple(inputs)))

    def take(self, conditions: Conditions, inputs: Sequence[Tensor]) -> None:
        """A block joins; its keys and values are computed from its inputs (one for each level), the
        sink and the blocks that are here.
        """
        kvs = [
            self._keys_values(level, x, conditions)
            for level, x in zip(range(len(self._levels)), inputs, strict=True)
        ]
        self.append(conditions, inputs, kvs)

    def switch(self, text: TextKV) -> None:
        """Every block anew as if it had been under the prompt `text`, oldest first.

        The blocks keep their inputs, sound, sink and memory. The oldest sees these and itself, the
        next one also the oldest as it is now, and so on: a window that began with the oldest block,
        and had the prompt all along, would hold the same bits.
        """
        blocks = list(self._blocks)
        self.clear()
        self._take_under(text, blocks)

    def switched(self, text: TextKV) -> PastWindow:
        """Another window, as this one would be after `switch`; this one stays as it is."""
        other = PastWindow(self._model, self._levels, self._capacity)
        other._take_under(text, self._blocks)
        return other

    def _take_under(self, text: TextKV, blocks: Iterable[_PastBlock]) -> None:
        for block in blocks:
            self.take(block.conditions._replace(text=text), block.inputs)

    def _keys_values(self, level: int, x: Tensor, conditions: Conditions) -> BlockKV:
        return self._model.block_keys_values(
            x[None].to(self._device),
            torch.tensor([self._levels[level]], device=self._device),
            conditions.sound,
            conditions.text,
            conditions.sink,
            self.seen_from(level),
            sink_position=conditions.sink_position,
            memory=conditions.memory,
        )
