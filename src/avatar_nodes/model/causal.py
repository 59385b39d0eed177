"""Block-wise causal operation of the transformer (Live Avatar, sections 4.1 and 4.3).

A block of latent frames attends to [sink | memory | its past blocks at its own noise level |
itself]; there may be no memory (see `visual_memory`). The sink may have motion context behind it:
the frames before the stream, packed (`frame_packer`). Both see only each other. Positions are
relative to the block of n latent frames: 0 .. n-1 for itself, -nd .. -nd+n-1 for the d-th past
block; `Places` says where sink and motion context are. Attention knows differences of positions
only, so the sink's place alone tells Rolling RoPE, by which no index grows with the length of a
stream, from frames that are counted from the stream's start.

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
from avatar_nodes.model.frame_packer import motion_positions
from avatar_nodes.model.kv import BlockKV, MemoryKV, SinkKV, TextKV
from avatar_nodes.model.rope import RopeTable, grid_positions, rope_table, rotate


class Places(NamedTuple):
    """Where a block sees what is no block, in latent frames from its own first one."""

    sink: int
    passed: int = 0
    """Latent frames since the stream's start: motion context is behind that, and falls back."""


_KEPT_TABLES = 64


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
        self._head_dim, self._grid, self._device = head_dim, grid, device
        self._sink_position = sink_position
        self._sinks: dict[int, RopeTable] = {}
        self._motion: tuple[int, RopeTable] | None = None
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

    def sink_with_motion(self) -> RopeTable:
        """A sink and its motion context as they see each other: at a stream's start."""
        return _joined([self.sink, self._motion_behind(0)])

    def keys_from(self, places: Places, past: int, *, motion: bool) -> RopeTable:
        """`keys[past]` with the sink where `places` has it; motion: its context is behind it."""
        if places.sink == self._sink_position and not motion:
            return self.keys[past]
        parts = [self._sink_at(places.sink)]
        if motion:
            parts.append(self._motion_behind(places.passed))
        return _joined([*parts, *self.at_distance[past::-1]])

    def _sink_at(self, position: int) -> RopeTable:
        if position not in self._sinks:
            while len(self._sinks) >= _KEPT_TABLES:
                del self._sinks[next(iter(self._sinks))]
            self._sinks[position] = self._table([position])
        return self._sinks[position]

    def _motion_behind(self, passed: int) -> RopeTable:
        """The last one is kept, for the steps of a block."""
        kept = self._motion
        if kept is None or kept[0] != passed:
            positions = motion_positions(*self._grid) - torch.tensor([passed, 0, 0])
            table = rope_table(positions, self._head_dim).to(self._device)
            self._motion = kept = (passed, table)
        return kept[1]


def _joined(parts: Sequence[RopeTable]) -> RopeTable:
    cos, sin = (torch.cat(halves) for halves in zip(*parts, strict=True))
    return RopeTable(cos, sin)


class SinkInput(NamedTuple):
    """What enters `sink_layer`."""

    x: Tensor
    """The tokens of the sink and of its motion context [B, S, dim]."""
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
