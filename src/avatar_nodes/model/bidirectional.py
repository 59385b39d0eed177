"""Whole-sequence operation of the transformer: every token sees every other (Wan2.2-S2V).

This is how the teacher and both scores of the distillation look at a window (Live Avatar, section
4.2): all frames at one noise level. The frames may fall into runs with a prompt each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from avatar_nodes.model.attention import LayerKV, attend
from avatar_nodes.model.audio_encoder import AudioTokens
from avatar_nodes.model.audio_injector import LayerInjection
from avatar_nodes.model.block import WanBlock
from avatar_nodes.model.kv import TextKV
from avatar_nodes.model.modulation import TimeEmbedding
from avatar_nodes.model.rope import RopeTable, rotate


class Parts(NamedTuple):
    """The two kinds of tokens between layers: noisy [B * runs, n, dim] and still [B, r, dim]."""

    noisy: Tensor
    still: Tensor

    def joined(self) -> Tensor:
        """[B, runs * n + r, dim]."""
        noisy = self.noisy.unflatten(0, (self.still.shape[0], -1)).flatten(1, 2)
        return torch.cat([noisy, self.still], dim=1)


@dataclass(frozen=True)
class FullSequence:
    """What enters the first layer: noisy tokens, then conditioning tokens (reference, motion)."""

    tokens: Tensor
    """[B, S, dim]."""
    mask_rows: Tensor
    positions: Tensor
    rope: RopeTable
    noisy_tokens: int
    time: TimeEmbedding
    time_rows: Tensor
    """[B, 2, 6, dim]: of t for the noisy tokens, of 0 for the others."""
    text: TextKV
    """What the noisy tokens read, of B * runs: each run of frames has its prompt."""
    still_text: TextKV
    """What the conditioning tokens read, of B."""
    audio: AudioTokens

    def parts(self) -> Parts:
        """The tokens as `full_layer` takes them."""
        noisy, still = self.tokens.tensor_split([self.noisy_tokens], dim=1)
        runs = self.text.layers[0].k.shape[0] // still.shape[0]
        # contiguous, as between layers: strides of their own would be compiled for
        return Parts(noisy.unflatten(1, (runs, -1)).flatten(0, 1).contiguous(), still.contiguous())


class FullInput(NamedTuple):
    """What enters `full_layer`."""

    x: Parts
    time_rows: Tensor
    rope: RopeTable
    text: LayerKV
    still_text: LayerKV
    sound: AudioTokens
    inject: LayerInjection | None
    """How the sound is taken in, if the layer does so."""


def full_layer(block: WanBlock, entering: FullInput) -> Parts:
    """One layer; what `WanS2V.compile_training` compiles once for all."""
    x, time_rows, rope, text, still_text, sound, inject = entering
    streams = x.still.shape[0]
    runs = x.noisy.shape[0] // streams
    noisy_rows = block.modulated(time_rows[:, 0].repeat_interleave(runs, dim=0))
    still_rows = block.modulated(time_rows[:, 1])
    attending = Parts(
        block.attention_input(x.noisy, noisy_rows), block.attention_input(x.still, still_rows)
    )
    q, kv = block.self_attn.qkv(attending.joined())
    attended = attend(rotate(q, rope), rotate(kv.k, rope), kv.v)
    to_noisy, to_still = attended.tensor_split([attended.shape[1] - x.still.shape[1]], dim=1)
    noisy = block.finish(x.noisy, to_noisy.reshape(x.noisy.shape), noisy_rows, text)
    still = block.finish(x.still, to_still, still_rows, still_text)
    return Parts(noisy if inject is None else inject(noisy, sound), still)
