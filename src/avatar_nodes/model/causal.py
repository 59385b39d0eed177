"""Block-wise causal operation of the transformer (Live Avatar, sections 4.1 and 4.3).

A block of latent frames attends to [sink | memory | its past blocks at its own noise level |
itself]; there may be no memory (see `visual_memory`). The sink sees only itself. Positions are
relative to the block of n latent frames: 0 .. n-1 for itself, -nd .. -nd+n-1 for the d-th past
block, `sink_position` for the sink (Rolling RoPE), so no index grows with the length of a stream.
Attention knows differences of positions only, so the sink's place alone tells Rolling RoPE from
frames that are counted from the stream's start (`fixed_sink_position`).

Here is what one layer does (`WanS2V` goes through the layers), and where positions are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from avatar_nodes.model.attention import LayerKV, attend
from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.audio_injector import LayerInjection
from avatar_nodes.model.block import WanBlock
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.rope import RopeTable, grid_positions, rope_table, rotate


def fixed_sink_position(sink_position: int, block: int, latents_per_block: int) -> int:
    """The sink's place seen from a stream's block `block` (from 0) without Rolling RoPE.

    The block's latent frames are counted from the stream's start then, the sink stays at
    `sink_position`: it falls behind without end (Live Avatar's ablation "w/o Rolling RoPE").
    """
    return sink_position - latents_per_block * block


class BlockRope:
    """Rotation tables of a block and of what it sees, constant for a token grid (rows, columns) of
    a latent frame.
    """

    def __init__(
        self, head_dim: int, grid: tuple[int, int], latents_per_block: int, past_blocks: int,
        sink_position: int, device: torch.device,
    ) -> None:  # fmt: skip
        def table(times: Sequence[int]) -> RopeTable:
            return rope_table(grid_positions(times, *grid), head_dim).to(device)

        self._table = table
        self._sink_position = sink_position
        self._moved: tuple[tuple[int, int], RopeTable] | None = None
        size, block = latents_per_block, range(latents_per_block)
        shifted = [[f - size * d for f in block] for d in range(past_blocks + 1)]
        self.sink = table([sink_position])
        self.at_distance = [table(times) for times in shifted]
        """Index d: a block d blocks before the current one; 0 is the current block."""
        self.keys = [
            table([sink_position, *(f for d in range(past, -1, -1) for f in shifted[d])])
            for past in range(past_blocks + 1)
        ]
        """Index p: the keys [sink | p past blocks, oldest first | current]."""

    def keys_with_sink_at(self, position: int, past: int) -> RopeTable:
        """`keys[past]` with the sink at `position` instead of its own; the last one is kept."""
        if position == self._sink_position:
            return self.keys[past]
        if self._moved is None or self._moved[0] != (position, past):
            parts = [self._table([position]), *self.at_distance[past::-1]]
            cos, sin = (torch.cat(halves) for halves in zip(*parts, strict=True))
            self._moved = ((position, past), RopeTable(cos, sin))
        return self._moved[1]


class SinkInput(NamedTuple):
    """What enters `sink_layer`."""

    x: Tensor
    """The sink's tokens [B, S, dim]."""
    time_rows: Tensor
    rope: RopeTable
    text: LayerKV | None
    """None in the last layer: nothing reads what it does to the sink."""


def sink_layer(block: WanBlock, entering: SinkInput) -> tuple[Tensor, LayerKV]:
    """One layer over a sink: the tokens after it, un-rotated keys and values."""
    x, time_rows, rope, text = entering
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    if text is not None:
        attended = attend(rotate(q, rope), rotate(kv.k, rope), kv.v)
        x = block.finish(x, attended, modulation, text)
    return x, kv


class Seen(NamedTuple):
    """What a block sees beside itself."""

    text: TextKV
    sink: SinkKV
    past: Sequence[BlockKV] = ()
    """Oldest first."""
    memory: MemoryKV | None = None


class BlockInput(NamedTuple):
    """What enters `block_layer`."""

    x: Tensor
    """The block's tokens [B, S, dim]."""
    time_rows: Tensor
    rope: RopeTable
    """The block's own."""
    key_rope: RopeTable
    """That of the keys [sink | past | itself]."""
    text: LayerKV
    sink: LayerKV
    past: tuple[LayerKV, ...]
    memory: LayerKV | None
    sound: AudioTokens
    inject: LayerInjection | None
    """How the sound is taken in, if the layer does so."""


def block_layer(block: WanBlock, entering: BlockInput) -> tuple[Tensor, LayerKV]:
    """One layer over a block: the tokens after it, un-rotated keys and values."""
    x, time_rows, rope, key_rope, text, sink, past, memory, sound, inject = entering
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    seen = [sink, *past, kv]
    values = torch.cat([part.v for part in seen], dim=1)
    keys = rotate(torch.cat([part.k for part in seen], dim=1), key_rope, values.dtype)
    if memory is not None:
        keys, values = _after_the_sink(sink.k.shape[1], keys, values, memory)
    attended = attend(rotate(q, rope, values.dtype), keys, values)
    x = block.finish(x, attended, modulation, text)
    return (x if inject is None else inject(x, sound)), kv


def layer_keys_values(block: WanBlock, entering: BlockInput) -> LayerKV:
    """The keys and values of `block_layer` alone, in less time."""
    return block.qkv(entering.x, block.modulated(entering.time_rows))[1]


def _after_the_sink(
    sink: int, keys: Tensor, values: Tensor, memory: LayerKV
) -> tuple[Tensor, Tensor]:
    """Memory, put into what is seen behind its `sink` tokens."""
    before, after = keys.tensor_split([sink], dim=1)
    first, later = values.tensor_split([sink], dim=1)
    return torch.cat([before, memory.k, after], dim=1), torch.cat([first, memory.v, later], dim=1)


class WindowInput(NamedTuple):
    """What enters `window_layer`: N consecutive blocks of each of B streams."""

    x: Tensor
    """The blocks' tokens [B * N, S, dim]."""
    time_rows: Tensor
    rope: BlockRope
    text: LayerKV
    """Of B * N."""
    sink: LayerKV
    """Of B."""
    memory: LayerKV | None
    """Of B."""
    sound: AudioTokens
    """Of B * N."""
    inject: LayerInjection | None
    """How the sound is taken in, if the layer does so."""


def window_layer(block: WanBlock, entering: WindowInput) -> Tensor:
    """`block_layer` for a whole window at once, for training; what `WanS2V.compile_training`
    compiles once for all.
    """
    x, time_rows, rope, text, sink, memory, sound, inject = entering
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    q = rotate(q, rope.at_distance[0])
    x = block.finish(x, _attend_windows(q, kv, sink, rope, memory), modulation, text)
    return x if inject is None else inject(x, sound)


def _attend_windows(
    q: Tensor, kv: LayerKV, sink: LayerKV, rope: BlockRope, memory: LayerKV | None
) -> Tensor:
    """Every block's attention to what it sees, [B * N, S, dim], without a mask: the first blocks,
    whose past is shorter, are attended apart. Keys are rotated once for each distance they are seen
    from.
    """
    streams = sink.k.shape[0]
    q, k, v = (x.unflatten(0, (streams, -1)) for x in (q, kv.k, kv.v))
    blocks, reach = q.shape[1], len(rope.keys) - 1
    turned = [rotate(k, table) for table in rope.at_distance]
    sink_k = rotate(sink.k, rope.sink)
    outputs = []
    for past in range(min(reach, blocks - 1) + 1):
        first, count = past, 1 if past < reach else blocks - reach
        seen_k, seen_v = [_repeated(sink_k, count)], [_repeated(sink.v, count)]
        if memory is not None:
            seen_k.append(_repeated(memory.k, count))
            seen_v.append(_repeated(memory.v, count))
        for distance in range(past, -1, -1):
            chosen = slice(first - distance, first - distance + count)
            seen_k.append(turned[distance][:, chosen])
            seen_v.append(v[:, chosen])
        q_part = q[:, first : first + count]
        keys, values = torch.cat(seen_k, dim=2), torch.cat(seen_v, dim=2)
        out = attend(q_part.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1))
        outputs.append(out.unflatten(0, (streams, count)))
    return torch.cat(outputs, dim=1).flatten(0, 1)


def _repeated(x: Tensor, count: int) -> Tensor:
    return x[:, None].expand(-1, count, *x.shape[1:])
