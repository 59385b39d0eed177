"""A stage's versions of visual memory, their keys and values computed when they are needed."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import Tensor

from avatar_nodes.block.block import Memory
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import MemoryKV

KNOWN_MEMORIES = 32
"""Newest versions that a stage keeps; only the few that blocks under way may carry are needed."""
_PLACED = 2
_SPARE_FRAMES = 16
FrameKV = tuple[LayerKV, ...]
"""Un-rotated keys and values of a frame in every layer."""


class MemoryStore:
    """Versions of memory by number.

    From one version to the next nearly all frames stay. A frame's keys and values depend on it
    alone, so only those of new frames are computed, each by itself: the bits are the same whether a
    stage has seen all versions or comes fresh to the last.
    """

    def __init__(self, model: WanS2V, device: torch.device) -> None:
        """The model must have a configuration of memory."""
        assert model.config.memory_shape is not None
        self._model = model
        self._device = device
        self._frame_tokens = model.config.memory_shape[0]
        self._known: dict[int, Memory] = {}
        self._frames: OrderedDict[bytes, FrameKV] = OrderedDict()
        self._placed: OrderedDict[int, MemoryKV] = OrderedDict()

    def __contains__(self, version: int) -> bool:
        return version in self._known

    def add(self, memory: Memory) -> None:
        """Learns a version; one that comes again replaces the old one. Its new frames are computed
        now, before a block waits for them.
        """
        self._known[memory.version] = memory
        self._frame_kvs(memory)
        self._placed.pop(memory.version, None)
        for version in sorted(self._known)[:-KNOWN_MEMORIES]:
            del self._known[version]
            self._placed.pop(version, None)

    def clear(self) -> None:
        """Forgets the versions, which belong to an epoch; frames are known by what they show."""
        self._known.clear()
        self._placed.clear()

    def kv(self, version: int) -> MemoryKV | None:
        """Keys and values of a known version; None: it remembers nothing. Raises KeyError."""
        memory = self._known[version]
        if not len(memory.long) and not len(memory.short):
            return None
        if version not in self._placed:
            self._placed[version] = self._model.place_memory(*self._frame_kvs(memory))
            while len(self._placed) > _PLACED:
                self._placed.popitem(last=False)
        return self._placed[version]

    def _frame_kvs(self, memory: Memory) -> tuple[list[FrameKV], list[FrameKV]]:
        """Of long and of short memory. Frames that left some versions ago are forgotten."""
        long, short = (
            [self._frame_kv(frame) for frame in self._split(tokens)]
            for tokens in (memory.long, memory.short)
        )
        while len(self._frames) > len(long) + len(short) + _SPARE_FRAMES:
            self._frames.popitem(last=False)
        return long, short

    def _frame_kv(self, frame: Tensor) -> FrameKV:
        key = hashlib.blake2b(frame.contiguous().numpy().data, digest_size=32).digest()
        if key not in self._frames:
            self._frames[key] = self._model.prefill_memory_frame(frame[None].to(self._device))
        self._frames.move_to_end(key)
        return self._frames[key]

    def _split(self, tokens: Tensor) -> Iterable[Tensor]:
        return tokens.split(self._frame_tokens) if len(tokens) else ()
