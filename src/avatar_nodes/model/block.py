"""One transformer layer, cut where its callers differ: what self-attention sees."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model import modulation as rows
from avatar_nodes.model.attention import CrossAttention, LayerKV, SelfAttention, attend, project
from avatar_nodes.model.modulation import Modulation
from avatar_nodes.model.rope import RopeTable, rotate


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

    @property
    def ffn_dtype(self) -> torch.dtype:
        return cast(nn.Linear, self.ffn[0]).weight.dtype

    def modulated(self, time_rows: Tensor, noisy_tokens: int | None = None) -> Modulation:
        """This layer's modulation from the shared rows [B, (2,) 6, dim] of the timestep."""
        return Modulation(self.modulation + time_rows, noisy_tokens)

    def qkv(self, x: Tensor, modulation: Modulation) -> tuple[Tensor, LayerKV]:
        """Un-rotated q and keys, values of the tokens x [B, S, dim]."""
        normalised = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        return self.self_attn.qkv(
            modulation.scale_shift(normalised, rows.SHIFT_ATTENTION, rows.SCALE_ATTENTION)
        )

    def finish(self, x: Tensor, attended: Tensor, modulation: Modulation, text: LayerKV) -> Tensor:
        """The layer after self-attention: `attended` [B, S, dim] is what q found."""
        x = modulation.gated(x, project(self.self_attn.o, attended), rows.GATE_ATTENTION)
        x = x + self.cross_attn(self.norm3(x), text)
        normalised = F.layer_norm(x, x.shape[-1:], eps=self.eps)
        hidden = modulation.scale_shift(normalised, rows.SHIFT_FFN, rows.SCALE_FFN)
        hidden = hidden.to(self.ffn_dtype)
        return modulation.gated(x, self.ffn(hidden), rows.GATE_FFN)

    def forward(self, x: Tensor, modulation: Modulation, rope: RopeTable, text: LayerKV) -> Tensor:
        """The whole layer over tokens that all see each other."""
        q, kv = self.qkv(x, modulation)
        attended = attend(rotate(q, rope), rotate(kv.k, rope), kv.v)
        return self.finish(x, attended, modulation, text)
