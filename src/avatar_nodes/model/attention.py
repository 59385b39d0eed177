"""Multi-head attention whose q and k are normalised over the full model width."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.float8 import Float8Linear
from avatar_nodes.model.rope import half_split


class LayerKV(NamedTuple):
    """Keys (after `norm_k`, before rotation) and values of one layer, each [B, tokens, heads,
    head_dim].
    """

    k: Tensor
    v: Tensor

    def copy_(self, other: LayerKV) -> LayerKV:
        """Overwrites both with those of `other`."""
        self.k.copy_(other.k)
        self.v.copy_(other.v)
        return self


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


def project(layer: nn.Module, x: Tensor) -> Tensor:
    """The linear layer in its own dtype: x is float32 while weights may be bfloat16."""
    return layer(x.to(input_dtype(layer)))


def input_dtype(layer: nn.Module) -> torch.dtype:
    """What a linear layer takes."""
    return layer.dtype if isinstance(layer, Float8Linear) else cast(Tensor, layer.weight).dtype


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


class SelfAttention(_Projections):
    """Self-attention whose caller decides what is seen: it gives q, k, v; `o` comes after."""

    fused: nn.Module
    """q, k and v of a packed layer."""
    fused_norms: Tensor
    """Weights of `norm_q` and `norm_k` of a packed layer, float32 [2, dim]."""

    def __init__(self, dim: int, num_heads: int, eps: float) -> None:
        super().__init__(dim, num_heads, eps)
        self._is_packed = False

    def pack(self) -> None:
        """Fuses q, k, v once and for all and frees the parts: for serving only."""
        with torch.no_grad():
            weight, bias = self._turned("weight"), self._turned("bias")
            if isinstance(self.q, Float8Linear):
                self.fused = Float8Linear(weight, self._turned("scale"), bias, self.q.dtype)
            else:
                out_features, in_features = weight.shape
                self.fused = nn.Linear(in_features, out_features, device="meta")
                self.fused.weight = nn.Parameter(weight, requires_grad=False)
                self.fused.bias = nn.Parameter(bias, requires_grad=False)
            norms = torch.stack(self._turned_norms()).float()
        self.register_buffer("fused_norms", norms, persistent=False)
        del self.q, self.k, self.v, self.norm_q, self.norm_k
        self._is_packed = True

    def _turned(self, name: str) -> Tensor:
        """A tensor of q, k and v one after another, q and k in half-split order."""
        q, k, v = (cast(Tensor, getattr(layer, name)) for layer in (self.q, self.k, self.v))
        return torch.cat([half_split(q, self.num_heads), half_split(k, self.num_heads), v])

    def _turned_norms(self) -> tuple[Tensor, Tensor]:
        norms = (self.norm_q.weight, self.norm_k.weight)
        q, k = (half_split(weight, self.num_heads) for weight in norms)
        return q, k

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v side by side, and the weights of both norms."""
        if self._is_packed:
            return project(self.fused, x), self.fused_norms[0], self.fused_norms[1]
        q, k, v = (whole_weight(layer) for layer in (self.q, self.k, self.v))
        turned = half_split(q, self.num_heads), half_split(k, self.num_heads), v
        weight = torch.cat(turned)
        return F.linear(x.to(weight.dtype), weight, self._turned("bias")), *self._turned_norms()

    def qkv(self, x: Tensor) -> tuple[Tensor, LayerKV]:
        """x [B, S, dim] -> q and k, v, each [B, S, heads, head_dim].

        q, k are un-rotated, in half-split order.
        """
        together, norm_q, norm_k = self._projected(x)
        q, k, v = together.chunk(3, dim=-1)
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
