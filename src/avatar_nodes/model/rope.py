"""Rotary position embedding over (time, row, column), in real arithmetic.

Wan rotates adjacent channel pairs (2i, 2i+1) of every head. A dot product does not change when both
sides are permuted alike, so attention here works on heads whose even channels come first and odd
channels last (`half_split`): the same numbers, but the rotation is made of contiguous halves and
compiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

THETA = 10000.0


class RopeTable(NamedTuple):
    """Rotation of each token: cosine and sine, float32 [tokens, 1, head_dim / 2]."""

    cos: Tensor
    sin: Tensor

    def to(self, device: torch.device) -> RopeTable:
        return RopeTable(self.cos.to(device), self.sin.to(device))


def half_split(x: Tensor, num_heads: int) -> Tensor:
    """Reorders the first axis of a weight, [num_heads * head_dim, ...]: each head's even channels
    first.
    """
    return x.unflatten(0, (num_heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def axis_pairs(head_dim: int) -> tuple[int, int, int]:
    """Complex pairs of a head that encode time, row and column (22, 21, 21 of 64)."""
    spatial = head_dim // 6
    return head_dim // 2 - 2 * spatial, spatial, spatial


def rope_angles(positions: Tensor, head_dim: int) -> Tensor:
    """Angles [tokens, head_dim / 2] in float64 for positions [tokens, 3] (time, row, column)."""
    angles = []
    for axis, pairs in enumerate(axis_pairs(head_dim)):
        exponents = torch.arange(pairs, dtype=torch.float64) / pairs
        angles.append(positions[:, axis, None].double() * THETA**-exponents)
    return torch.cat(angles, dim=1)


def rope_table(positions: Tensor, head_dim: int) -> RopeTable:
    """Table for positions [tokens, 3]. Angles are float64: float32 loses 2e-4 at index
    3000.
    """
    angles = rope_angles(positions, head_dim)[:, None]
    return RopeTable(angles.cos().float(), angles.sin().float())


def grid_positions(times: Sequence[int], rows: int, columns: int) -> Tensor:
    """Positions [len(times) * rows * columns, 3] of whole latent frames, row by row."""
    grid = torch.meshgrid(
        torch.tensor(list(times)), torch.arange(rows), torch.arange(columns), indexing="ij"
    )
    return torch.stack(grid, dim=-1).reshape(-1, 3)


def coarse_positions(times: Sequence[int], rows: int, columns: int, cells: int) -> Tensor:
    """`grid_positions` of tokens that stand for cells x cells others: the middles of those."""
    positions = grid_positions(times, rows, columns).double()
    positions[:, 1:] = (positions[:, 1:] + 0.5) * cells - 0.5
    return positions


def rotate(x: Tensor, table: RopeTable, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rotates x [..., tokens, heads, head_dim], channels in half-split order: in float32, but the
    result is rounded to `dtype`, each half by itself, which moves fewer bytes than both at once.
    """
    first, second = x.float().chunk(2, dim=-1)
    cos, sin = table
    turned = (
        torch.addcmul(first * cos, second, sin, value=-1),
        torch.addcmul(first * sin, second, cos),
    )
    return torch.cat([half.to(dtype) for half in turned], dim=-1)
