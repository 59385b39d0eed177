"""The rolling cache of past blocks' keys and values at one noise level."""

from __future__ import annotations

from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.kv import BlockKV


class RollingKVCache:
    """The last `capacity` blocks, oldest first, in slots that are taken in turn.

    A slot's memory is allocated by the first block that takes it, and stays where it is: a new
    block overwrites the oldest one's buffers. Keys are un-rotated, so a block's age is only its
    place in the ring.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f"capacity must be >= 0, got {capacity}")
        self._capacity = capacity
        self._slots: list[BlockKV] = []
        self._first = self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def blocks(self) -> tuple[BlockKV, ...]:
        ring = range(self._first, self._first + self._count)
        return tuple(self._slots[place % self._capacity] for place in ring)

    @property
    def room(self) -> BlockKV | None:
        """The buffers that the next block is going to have; None: not allocated yet.

        When the cache is full they are still those of the oldest block.
        """
        place = (self._first + self._count) % max(1, self._capacity)
        return self._slots[place] if place < len(self._slots) else None

    def append(self, kv: BlockKV) -> None:
        """Takes a block's keys and values: copies them, unless they are in `room` already. The
        oldest block goes if the cache is full.
        """
        if self._capacity == 0:
            return
        room = self.room
        if room is None:
            copies = (LayerKV(new.k.clone(), new.v.clone()) for new in kv.layers)
            self._slots.append(BlockKV(tuple(copies)))
        elif kv is not room:
            for mine, new in zip(room.layers, kv.layers, strict=True):
                mine.copy_(new)
        if self._count < self._capacity:
            self._count += 1
        else:
            self._first = (self._first + 1) % self._capacity

    def clear(self) -> None:
        """Forgets the blocks, keeps their memory."""
        self._first = self._count = 0
