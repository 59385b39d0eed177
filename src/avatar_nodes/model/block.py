"""One transformer layer, cut where its callers differ: what self-attention sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model import modulation as rows
from avatar_nodes.model.attention import (
    CrossAttention,
    LayerKV,
    SelfAttention,
    input_dtype,
    project,
)
from avatar_nodes.model.modulation import Modulation

Inputs = TypeVar("Inputs")
Result = TypeVar("Result")
Operation: TypeAlias = "Callable[[WanBlock, Inputs], Result]"
"""What is done with one layer's weights; `Inputs` is a tensor, or a NamedTuple of them."""


class WanBlock(nn.Module):
    """Self-attention, text cross-attention, feed-forward; `blocks.N` of the checkpoint."""

    def __init__(self, dim: int, ffn_dim: int, num_heads: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.self_attn = SelfAttention(dim, num_heads, eps)
        self.norm3 = nn.LayerNorm(dim, eps=eps)
        self.cross_attn = CrossAttention(dim, num_heads, eps)
        self.ffn = nn.Sequential(nn.Linear(dim, ffn_dim), nn.GELU("tanh"), nn.Linear(ffn_dim, dim))
        self.modulation = nn.Parameter(torch.randn(1, 6, dim) / dim**0.5)

    def forward(self, operation: Operation[Inputs, Result], inputs: Inputs) -> Result:
        """`operation(self, inputs)`.

        All that uses this layer's weights goes through here: sharded training (FSDP) gathers them
        when a forward begins and frees them when it ends. It looks for the tensors among the
        inputs, and finds them in tuples, not in dataclasses.
        """
        return operation(self, inputs)

    if TYPE_CHECKING:  # `nn.Module` declares it without types
        __call__ = forward

    def text_keys_values(self, context: Tensor) -> LayerKV:
        """Keys and values of text tokens [B, T, dim]."""
        return self.cross_attn.keys_values(context)

    @property
    def ffn_dtype(self) -> torch.dtype:
        return input_dtype(self.ffn[0])

    def modulated(self, time_rows: Tensor) -> Modulation:
        """This layer's modulation from the shared rows [B, 6, dim] of the timestep."""
        return Modulation(self.modulation + time_rows)

    def attention_input(self, x: Tensor, modulation: Modulation) -> Tensor:
        """The tokens x [B, S, dim], normalised and modulated for self-attention."""
        normalised = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return modulation.scale_shift(normalised, rows.SHIFT_ATTENTION, rows.SCALE_ATTENTION)

    def qkv(self, x: Tensor, modulation: Modulation) -> tuple[Tensor, LayerKV]:
        """Un-rotated q and keys, values of the tokens x [B, S, dim]."""
        return self.self_attn.qkv(self.attention_input(x, modulation))

    def finish(
        self, x: Tensor, attended: Tensor, modulation: Modulation, text: LayerKV | None
    ) -> Tensor:
        """The layer after self-attention: `attended` [B, S, dim] is what q found. Without a text
        nothing is read.
        """
        x = modulation.gated(x, project(self.self_attn.o, attended), rows.GATE_ATTENTION)
        if text is not None:
            x = x + self.cross_attn(self.norm3(x), text)
        normalised = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        hidden = modulation.scale_shift(normalised, rows.SHIFT_FFN, rows.SCALE_FFN)
        hidden = hidden.to(self.ffn_dtype)
        return modulation.gated(x, self.ffn(hidden), rows.GATE_FFN)
