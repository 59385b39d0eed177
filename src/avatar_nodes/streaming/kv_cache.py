"""The rolling cache of past blocks' keys and values at one noise level."""

from __future__ import annotations

from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.kv import BlockKV


class RollingKVCache:
    """The last `capacity` blocks, oldest first. Memory is allocated once: a new block overwrites
    the oldest one's buffers. Keys are un-rotated, so a block's age is only its place in the
    list.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f"capacity must be >= 0, got {capacity}")
        self._capacity = capacity
        self._held: list[BlockKV] = []
        self._spare: list[BlockKV] = []

    def __len__(self) -> int:
        return len(self._held)

    @property
    def blocks(self) -> tuple[BlockKV, ...]:
        return tuple(self._held)

    def append(self, kv: BlockKV) -> None:
        """Copies a block's keys and values in; the oldest block goes if the cache is full."""
        if self._capacity == 0:
            return
        if len(self._held) == self._capacity:
            self._spare.append(self._held.pop(0))
        if self._spare:
            buffers = self._spare.pop()
            for mine, new in zip(buffers.layers, kv.layers, strict=True):
                mine.k.copy_(new.k)
                mine.v.copy_(new.v)
        else:
            copies = (LayerKV(new.k.clone(), new.v.clone()) for new in kv.layers)
            buffers = BlockKV(tuple(copies))
        self._held.append(buffers)

    def clear(self) -> None:
        """Forgets the blocks, keeps their memory."""
        self._spare += self._held
        self._held = []
