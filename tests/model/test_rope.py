"""Rotary embedding against the public one, in the channel order that we compute it in."""

from __future__ import annotations

import pytest
import torch
from support import golden
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.model.rope import axis_pairs, half_split, rope_table, rotate

CASES = ("noisy_0", "noisy_27", "noisy_2997", "ref_30", "ref_57", "motion_16x24")


def _half_split_channels(x: Tensor) -> Tensor:
    return half_split(x.movedim(-1, 0), num_heads=1).movedim(0, -1)


@pytest.mark.parametrize("case", CASES)
def test_against_the_reference(case: str) -> None:
    data = golden.load("rope_schedule/rope")
    turned = rotate(_half_split_channels(data[f"{case}.q"]), rope_table(data[f"{case}.pos"], 128))
    assert_close(turned, _half_split_channels(data[f"{case}.out"]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_rounded_afterwards(given: torch.dtype) -> None:
    """In another dtype it is the float32 result, rounded."""
    torch.manual_seed(0)
    x = torch.randn(2, 5, 3, 64).to(given)
    table = rope_table(torch.randint(-50, 50, (5, 3)), 64)
    turned = rotate(x, table)
    assert turned.dtype == torch.float32
    assert torch.equal(rotate(x, table, torch.bfloat16), turned.to(torch.bfloat16))


def test_pairs_of_the_public_model() -> None:
    assert axis_pairs(128) == (22, 21, 21)
    assert axis_pairs(32) == (6, 5, 5)


def test_attention_depends_on_distance_only() -> None:
    """Why positions may be relative to the window: shifting q and k together changes no product."""
    torch.manual_seed(0)
    q, k = torch.randn(2, 1, 4, 1, 64).unbind()
    positions = torch.tensor([[0, 0, 0], [1, 2, 3], [2, 5, 1], [-3, 7, 7]])
    shifted = positions + torch.tensor([1000, 0, 0])

    def product(where: Tensor) -> Tensor:
        table = rope_table(where, 64)
        return torch.einsum("bqhd,bkhd->bqk", rotate(q, table), rotate(k, table))

    assert_close(product(positions), product(shifted), atol=1e-4, rtol=0)
