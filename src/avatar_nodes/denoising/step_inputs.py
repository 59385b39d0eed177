"""The buffers that a recorded forward pass reads and writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from avatar_nodes.denoising.past_window import Conditions
from avatar_nodes.model.attention import LayerKV
from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.kv import MemoryKV, SinkKV, TextKV
from avatar_nodes.model.rope import RopeTable


class StepInputs:
    """One block's latent, conditions and velocity, at addresses that never change.

    Sound, text, sink, memory and rotations come as objects that are never written to, so one that
    is here already is not copied again: in a steady stream a block costs its latent and its sound,
    and the rotations where sink or motion context move.
    """

    def __init__(self, x: Tensor, conditions: Conditions, key_rope: RopeTable) -> None:
        """Buffers like x [C, 3, H, W], these conditions (not their memory) and the rotation of what
        is seen, not filled yet."""
        self.x = torch.empty_like(x)[None]
        self.velocity = torch.empty_like(x)
        self.sound = AudioTokens(*map(torch.empty_like, conditions.sound))
        self.text = TextKV(_like(conditions.text.layers))
        sink = conditions.sink
        self.sink = SinkKV(_like(sink.layers), torch.empty_like(sink.latent), sink.has_motion)
        self.key_rope = RopeTable(*map(torch.empty_like, key_rope))
        self.memory: MemoryKV | None = None
        self._loaded: dict[str, object] = {}

    def make_room(self, memory: MemoryKV) -> None:
        """Other buffers for memory, of this one's length."""
        self.memory = MemoryKV(_like(memory.layers))
        self._loaded.pop("memory", None)

    def load(self, x: Tensor, conditions: Conditions, key_rope: RopeTable) -> None:
        """Copies in what is not here yet; memory, if any, must be as long as its buffers."""
        self.x.copy_(x[None])
        sound, text, sink, memory, _ = conditions
        self._load("key_rope", key_rope, self.key_rope, key_rope)
        self._load("sound", sound, self.sound, sound)
        self._load("text", text, _tensors(self.text.layers), _tensors(text.layers))
        self._load(
            "sink", sink, [*_tensors(self.sink.layers), self.sink.latent],
            [*_tensors(sink.layers), sink.latent],
        )  # fmt: skip
        if memory is not None and self.memory is not None:
            self._load("memory", memory, _tensors(self.memory.layers), _tensors(memory.layers))

    def release(self) -> None:
        """Lets go of what was copied; the next block brings all anew."""
        self._loaded.clear()

    def _load(
        self, name: str, owner: object, buffers: Iterable[Tensor], values: Iterable[Tensor]
    ) -> None:
        if self._loaded.get(name) is owner:
            return
        for buffer, value in zip(buffers, values, strict=True):
            buffer.copy_(value)
        self._loaded[name] = owner


def memory_tokens(memory: MemoryKV | None) -> int:
    """How many tokens are remembered."""
    return 0 if memory is None else memory.layers[0].k.shape[1]


def _like(layers: Sequence[LayerKV]) -> tuple[LayerKV, ...]:
    return tuple(LayerKV(torch.empty_like(kv.k), torch.empty_like(kv.v)) for kv in layers)


def _tensors(layers: Sequence[LayerKV]) -> list[Tensor]:
    return [part for kv in layers for part in kv]
