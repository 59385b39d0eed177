"""Visual memory in a block's view: [sink | long memory | short memory | past blocks | itself].

A remembered latent frame is a few tokens (`compressor`). It sees only itself, at t = 0, and reads
no prompt: memory says what was seen, not what is to be done. So its keys and values depend on the
frame alone. They are computed once, stay when other frames come and go, and a change of the prompt
leaves them as they are.

Places do not change with the length of a stream. Short memory ends where the past begins, the
newest frame next to it. Key frames have no order: all stand where the sink stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from avatar_nodes.model.attention import LayerKV, attend
from avatar_nodes.model.block import WanBlock
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.kv import MemoryKV
from avatar_nodes.model.rope import RopeTable, coarse_positions, rope_table, rotate


class MemoryLatents(NamedTuple):
    """Latent frames to remember, [B, frames, C, H, W] each, oldest first; none is allowed."""

    long: Tensor
    short: Tensor


class MemoryRope:
    """Rotation tables of memory: of a frame by itself, and of all where a block sees them."""

    def __init__(self, config: DiTConfig, device: torch.device) -> None:
        self._config = config
        self._device = device
        self._placed: dict[tuple[int, int], RopeTable] = {}
        self.frame = self._table([0])

    def placed(self, long: int, short: int) -> RopeTable:
        """So many frames of long memory, then so many of short memory."""
        if (long, short) not in self._placed:
            begin = -self._config.timing.latents_per_block * self._config.past_blocks
            times = [self._config.sink_position] * long + list(range(begin - short, begin))
            self._placed[long, short] = self._table(times)
        return self._placed[long, short]

    def _table(self, times: Sequence[int]) -> RopeTable:
        memory = self._config.memory
        assert memory is not None
        patches = memory.cells // self._config.patch_size[1]
        positions = coarse_positions(times, *self._config.memory_grid, patches)
        return rope_table(positions, self._config.head_dim).to(self._device)


class FrameInput(NamedTuple):
    """What enters `frame_layer`: remembered frames, each by itself."""

    x: Tensor
    """Tokens [frames, tokens, dim]."""
    time_rows: Tensor
    rope: RopeTable
    is_last: bool
    """Nothing reads what the last layer does to the frames."""


def frame_layer(block: WanBlock, entering: FrameInput) -> tuple[Tensor, LayerKV]:
    """One layer over remembered frames: the tokens after it, un-rotated keys and values."""
    x, time_rows, rope, is_last = entering
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    if not is_last:
        attended = attend(rotate(q, rope), rotate(kv.k, rope), kv.v)
        x = block.finish(x, attended, modulation, None)
    return x, kv


def placed(layers: Sequence[LayerKV], rope: RopeTable) -> MemoryKV:
    """Un-rotated keys and values [B, tokens, heads, d] of a whole memory, put in their places."""
    return MemoryKV(tuple(LayerKV(rotate(kv.k, rope).to(kv.v.dtype), kv.v) for kv in layers))
