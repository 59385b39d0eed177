"""Block-wise causal operation of the transformer (Live Avatar, sections 4.1 and 4.3).

A block of latent frames attends to [sink | memory | its past blocks at its own noise level |
itself]; there may be no memory (see `memory`). The sink sees only itself. Positions are relative to
the block of n latent frames: 0 .. n-1 for itself, -nd .. -nd+n-1 for the d-th past block,
`sink_position` for the sink (Rolling RoPE), so no index grows with the length of a stream.
Attention knows differences of positions only, so the sink's place alone tells Rolling RoPE from
frames that are counted from the stream's start (`fixed_sink_position`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from avatar_nodes.model.attention import LayerKV, attend
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.rope import RopeTable, grid_positions, rope_table, rotate

if TYPE_CHECKING:
    from avatar_nodes.model.audio_encoder import AudioTokens
    from avatar_nodes.model.audio_injector import LayerInjection
    from avatar_nodes.model.block import WanBlock
    from avatar_nodes.model.dit import WanS2V


def fixed_sink_position(sink_position: int, block: int, latents_per_block: int) -> int:
    """The sink's place seen from a stream's block `block` (from 0) without Rolling RoPE.

    The block's latent frames are counted from the stream's start then, the sink stays at
    `sink_position`: it falls behind without end (Live Avatar's ablation "w/o Rolling RoPE").
    """
    return sink_position - latents_per_block * block


class WindowRope:
    """Rotation tables of a window, constant for a token grid (rows, columns) of a latent frame."""

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


def prefill_sink(
    model: WanS2V, tokens: Tensor, rope: WindowRope, text: TextKV
) -> tuple[LayerKV, ...]:
    """Keys and values of the sink's tokens [B, S, dim] in every layer, modulated at t = 0."""
    time = model.time(torch.zeros(tokens.shape[0], device=tokens.device))
    x = tokens
    layers: list[LayerKV] = []
    for index, block in enumerate(model.layers):
        last = index + 1 == len(model.layers)
        x, kv = block(model.sink_layer, x, time.rows, rope, None if last else text.layers[index])
        layers.append(LayerKV(kv.k, kv.v.contiguous()))  # a part of q, k and v, which are let go
    return tuple(layers)


def sink_layer(
    block: WanBlock, x: Tensor, time_rows: Tensor, rope: WindowRope, text: LayerKV | None
) -> tuple[Tensor, LayerKV]:
    """One layer of `prefill_sink`; nothing reads what the last one (no text) does to the sink."""
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    if text is not None:
        attended = attend(rotate(q, rope.sink), rotate(kv.k, rope.sink), kv.v)
        x = block.finish(x, attended, modulation, text)
    return x, kv


class Seen(NamedTuple):
    """What a block sees beside itself."""

    text: TextKV
    sink: SinkKV
    past: Sequence[BlockKV] = ()
    memory: MemoryKV | None = None

    def layer(self, index: int) -> tuple[LayerKV, list[LayerKV], LayerKV | None]:
        """Text, [sink | past, oldest first] and memory in one layer."""
        window = [self.sink.layers[index], *(kv.layers[index] for kv in self.past)]
        memory = None if self.memory is None else self.memory.layers[index]
        return self.text.layers[index], window, memory


def denoise_block(
    model: WanS2V, tokens: Tensor, t: Tensor, sound: AudioTokens, rope: WindowRope, seen: Seen,
    sink_position: int, room: BlockKV | None = None,
) -> tuple[Tensor, BlockKV]:  # fmt: skip
    """One block's tokens [B, S, dim] at t [B] -> head output [B, S, patch], keys and values.

    room: buffers that these are put into, a layer's when it has read the past: so they may be those
    of a past block.
    """
    time = model.time(t)
    ropes = (rope.at_distance[0], rope.keys_with_sink_at(sink_position, len(seen.past)))
    x = tokens
    layers: list[LayerKV] = []
    for index, block in enumerate(model.layers):
        inject = model.audio_injector.at(index)
        x, kv = block(model.block_layer, inject, x, time.rows, sound, ropes, *seen.layer(index))
        layers.append(_put(room, index, kv))
    return model.head(x, time.embedding), room or BlockKV(tuple(layers))


def block_keys_values(
    model: WanS2V, tokens: Tensor, t: Tensor, sound: AudioTokens, rope: WindowRope, seen: Seen,
    sink_position: int, room: BlockKV | None = None,
) -> BlockKV:  # fmt: skip
    """The keys and values that `denoise_block` gives; what only its velocity needs is left out."""
    time = model.time(t)
    ropes = (rope.at_distance[0], rope.keys_with_sink_at(sink_position, len(seen.past)))
    x = tokens
    layers: list[LayerKV] = []
    *first, last = model.layers
    for index, block in enumerate(first):
        inject = model.audio_injector.at(index)
        x, kv = block(model.block_layer, inject, x, time.rows, sound, ropes, *seen.layer(index))
        layers.append(_put(room, index, kv))
    layers.append(_put(room, len(layers), last(_layer_keys_values, x, time.rows)))
    return room or BlockKV(tuple(layers))


def _put(room: BlockKV | None, layer: int, kv: LayerKV) -> LayerKV:
    """A layer's keys and values in their place, if they have one."""
    return kv if room is None else room.layers[layer].copy_(kv)


def _layer_keys_values(block: WanBlock, x: Tensor, time_rows: Tensor) -> LayerKV:
    return block.qkv(x, block.modulated(time_rows))[1]


def block_layer(
    block: WanBlock, inject: LayerInjection | None, x: Tensor, time_rows: Tensor,
    sound: AudioTokens, ropes: tuple[RopeTable, RopeTable], text: LayerKV, seen: list[LayerKV],
    memory: LayerKV | None,
) -> tuple[Tensor, LayerKV]:  # fmt: skip
    """One layer of `denoise_block`; `seen` is the sink and the past, ropes those of q and keys."""
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    window = [*seen, kv]
    values = torch.cat([part.v for part in window], dim=1)
    keys = rotate(torch.cat([part.k for part in window], dim=1), ropes[1], values.dtype)
    if memory is not None:
        keys, values = _after_the_sink(seen[0].k.shape[1], keys, values, memory)
    attended = attend(rotate(q, ropes[0], values.dtype), keys, values)
    x = block.finish(x, attended, modulation, text)
    return (x if inject is None else inject(x, sound)), kv


def _after_the_sink(
    sink: int, keys: Tensor, values: Tensor, memory: LayerKV
) -> tuple[Tensor, Tensor]:
    """Memory, put into a window behind its `sink` tokens."""
    before, after = keys.tensor_split([sink], dim=1)
    first, later = values.tensor_split([sink], dim=1)
    return torch.cat([before, memory.k, after], dim=1), torch.cat([first, memory.v, later], dim=1)


def denoise_window(
    model: WanS2V, tokens: Tensor, t: Tensor, sound: AudioTokens, rope: WindowRope, text: TextKV,
    sink: SinkKV, memory: MemoryKV | None = None,
) -> Tensor:  # fmt: skip
    """`denoise_block` for N consecutive blocks of B streams at once; for training.

    tokens [B * N, S, dim]; t [B * N]; sound, text of B * N; sink, memory of B.
    """
    time = model.time(t)
    x = tokens
    for index, block in enumerate(model.layers):
        x = block(
            model.window_layer, model.audio_injector.at(index), x, time.rows, sound, rope,
            text.layers[index], sink.layers[index],
            None if memory is None else memory.layers[index],
        )  # fmt: skip
    return model.head(x, time.embedding)


def window_layer(
    block: WanBlock, inject: LayerInjection | None, x: Tensor, time_rows: Tensor,
    sound: AudioTokens, rope: WindowRope, text: LayerKV, sink: LayerKV,
    memory: LayerKV | None = None,
) -> Tensor:  # fmt: skip
    """One layer of `denoise_window`: what `WanS2V.compile_training` compiles once for all."""
    modulation = block.modulated(time_rows)
    q, kv = block.qkv(x, modulation)
    q = rotate(q, rope.at_distance[0])
    x = block.finish(x, _attend_windows(q, kv, sink, rope, memory), modulation, text)
    return x if inject is None else inject(x, sound)


def _attend_windows(
    q: Tensor, kv: LayerKV, sink: LayerKV, rope: WindowRope, memory: LayerKV | None
) -> Tensor:
    """Every block's attention to its own window, [B * N, S, dim], without a mask: the first blocks,
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
        window_k, window_v = [_repeated(sink_k, count)], [_repeated(sink.v, count)]
        if memory is not None:
            window_k.append(_repeated(memory.k, count))
            window_v.append(_repeated(memory.v, count))
        for distance in range(past, -1, -1):
            chosen = slice(first - distance, first - distance + count)
            window_k.append(turned[distance][:, chosen])
            window_v.append(v[:, chosen])
        q_part = q[:, first : first + count]
        keys, values = torch.cat(window_k, dim=2), torch.cat(window_v, dim=2)
        out = attend(q_part.flatten(0, 1), keys.flatten(0, 1), values.flatten(0, 1))
        outputs.append(out.unflatten(0, (streams, count)))
    return torch.cat(outputs, dim=1).flatten(0, 1)


def _repeated(x: Tensor, count: int) -> Tensor:
    return x[:, None].expand(-1, count, *x.shape[1:])
