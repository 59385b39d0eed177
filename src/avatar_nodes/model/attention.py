"""Multi-head attention whose q and k are normalised over the full model width."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.rope import half_split


class LayerKV(NamedTuple):
    """Keys (after `norm_k`, before rotation) and values of one layer, each [B, tokens, heads,
    head_dim].
    """

    k: Tensor
    v: Tensor


class RMSNorm(nn.Module):
    """Root-mean-square norm over the last axis, with a learned weight."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """Root-mean-square norm, in float32."""
    return F.rms_norm(x.float(), x.shape[-1:], weight.float(), eps)


def project(layer: nn.Linear, x: Tensor) -> Tensor:
    """The linear layer in its own dtype: x is float32 while weights may be bfloat16."""
    return layer(x.to(layer.weight.dtype))


def whole_weight(layer: nn.Linear) -> Tensor:
    """The layer's weight, with what low-rank adapters (of peft) add to it in training."""
    weight = layer.weight
    for adapter in getattr(layer, "active_adapters", ()):
        first, second = layer.lora_A[adapter].weight, layer.lora_B[adapter].weight  # type: ignore[index, union-attr]
        weight = weight + layer.scaling[adapter] * (second @ first)  # type: ignore[index]
    return weight


_PLAIN_KEYS = 1024
"""Keys up to which a CPU trains faster through plain products than through its fused kernel."""


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of q [B, S, heads, d] over k, v [B, T, heads, d] -> [B, S, heads * d].

    Computed in the dtype of v.
    """
    q, k, v = (x.to(v.dtype).transpose(1, 2) for x in (q, k, v))
    if q.requires_grad and q.device.type == "cpu" and k.shape[2] <= _PLAIN_KEYS:
        with torch.autocast("cpu", enabled=False):
            scores = (q * q.shape[-1] ** -0.5) @ k.transpose(2, 3)
            out = scores.softmax(dim=-1) @ v
    else:
        out = F.scaled_dot_product_attention(q, k, v)
    return out.transpose(1, 2).flatten(2)


class _Projections(nn.Module):
    """The q, k, v, o, norm_q, norm_k that every attention of the checkpoint has."""

    def __init__(self, dim: int, num_heads: int, eps: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.eps = eps
        self.head_dim = dim // num_heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim)
        self.v = nn.Linear(dim, dim)
        self.o = nn.Linear(dim, dim)
        self.norm_q = RMSNorm(dim, eps)
        self.norm_k = RMSNorm(dim, eps)

    def heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, self.head_dim))


_FUSED = ("fused_weight", "fused_bias", "fused_norm_q", "fused_norm_k")


class SelfAttention(_Projections):
    """Self-attention whose caller decides what is seen: it gives q, k, v; `o` comes after."""

    def __init__(self, dim: int, num_heads: int, eps: float) -> None:
        super().__init__(dim, num_heads, eps)
        self._is_packed = False

    def pack(self, dtype: torch.dtype) -> None:
        """Fuses q, k, v once and for all, in `dtype`, and frees the parts: for serving only."""
        with torch.no_grad():
            weight, bias, norm_q, norm_k = self._pack()
        fused = (weight.to(dtype), bias.to(dtype), norm_q.float(), norm_k.float())
        for name, tensor in zip(_FUSED, fused, strict=True):
            self.register_buffer(name, tensor, persistent=False)
        del self.q, self.k, self.v, self.norm_q, self.norm_k
        self._is_packed = True

    def _pack(self) -> tuple[Tensor, ...]:
        if self._is_packed:
            return tuple(getattr(self, name) for name in _FUSED)

        def turned(x: Tensor) -> Tensor:
            return half_split(x, self.num_heads)

        q, k, v = (whole_weight(layer) for layer in (self.q, self.k, self.v))
        weight = torch.cat([turned(q), turned(k), v])
        bias = torch.cat([turned(self.q.bias), turned(self.k.bias), self.v.bias])
        return weight, bias, turned(self.norm_q.weight), turned(self.norm_k.weight)

    def qkv(self, x: Tensor) -> tuple[Tensor, LayerKV]:
        """x [B, S, dim] -> q and k, v, each [B, S, heads, head_dim].

        q, k are un-rotated, in half-split order.
        """
        weight, bias, norm_q, norm_k = self._pack()
        q, k, v = F.linear(x.to(weight.dtype), weight, bias).chunk(3, dim=-1)
        q, k = rms_norm(q, norm_q, self.eps), rms_norm(k, norm_k, self.eps).to(v.dtype)
        return self.heads(q), LayerKV(self.heads(k), self.heads(v))


class CrossAttention(_Projections):
    """Attention to tokens from outside (text, audio): no rotation, no mask."""

    def keys_values(self, context: Tensor) -> LayerKV:
        """context [B, T, dim] -> k, v [B, T, heads, head_dim]."""
        v = project(self.v, context)
        k = self.norm_k(project(self.k, context)).to(v.dtype)
        return LayerKV(self.heads(k), self.heads(v))

    def forward(self, x: Tensor, context: LayerKV) -> Tensor:
        """x [B, S, dim] attends to `context`; [B, S, dim]."""
        q = self.heads(self.norm_q(project(self.q, x)))
        return project(self.o, attend(q, context.k, context.v))
