"""The matching gradient by hand, and that following it moves what is made towards the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.training_run import CONFIG
from torch import Tensor, nn

from avatar_nodes.clips.conditions import Conditions
from avatar_nodes.clips.guidance import Guidance
from avatar_nodes.training.flow.dmd import (
    ScoreNoise,
    compare_scores,
    matching_gradient,
    truth_gradient,
)

SHAPE = (2, 1, 1, 1, 1, 2)


def _windows(*rows: list[float]) -> Tensor:
    return torch.tensor(rows).reshape(SHAPE)


def test_the_gradient_is_the_difference_of_the_estimates_over_the_distance() -> None:
    clean = _windows([1.0, 3.0], [0.0, 0.0])
    real = _windows([0.0, 1.0], [4.0, -4.0])  # mean distances 1.5 and 4
    fake = _windows([3.0, 1.0], [0.0, -2.0])
    plain = matching_gradient(clean, real, fake, normalise=False)
    assert plain.flatten().tolist() == pytest.approx([3 / 4, 0, -4 / 4, 2 / 4])
    normalised = matching_gradient(clean, real, fake, normalise=True)
    assert normalised.flatten().tolist() == pytest.approx([3 / 1.5 / 4, 0, -4 / 4 / 4, 2 / 4 / 4])


class _Gaussian(nn.Module):
    """The velocity field of clean windows that are normal around `mean` with deviation 1."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: Tensor, t: Tensor, *_: object, **__: object) -> Tensor:
        s = (t / 1000.0)[:, None, None, None, None]
        gain = (1 - s) / ((1 - s) ** 2 + s**2)
        clean = self.mean + gain * (x - (1 - s) * self.mean)
        return (x - clean) / s


def _compare(clean: Tensor, rng: np.random.Generator, real: float, fake: float) -> Tensor:
    size = len(clean)
    conditions = Conditions(
        torch.zeros(size, 1, 1, 160, 17), torch.zeros(1, 1, 16),
        torch.zeros(size, 1, dtype=torch.long), torch.zeros(size, 8, 1, 4, 4),
        torch.zeros(size, dtype=torch.long),
    )  # fmt: skip
    return compare_scores(
        clean, ScoreNoise().draw(rng, size), torch.randn(clean.shape),
        real=_Gaussian(real), fake=_Gaussian(fake),  # type: ignore[arg-type]
        real_conditions=conditions, fake_conditions=conditions, guidance=Guidance(),
        normalise=True,
    ).gradient  # fmt: skip


def test_equal_scores_ask_for_nothing_and_others_for_their_difference() -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    clean = torch.randn(4, 1, *CONFIG.latent_shape[:1], 3, 4, 4)
    assert _compare(clean, rng, 2.0, 2.0).abs().max() < 1e-6
    towards = _compare(clean, rng, 2.0, 0.0)
    assert (towards < 0).all()  # the loss falls where the windows rise


def test_following_the_gradient_moves_a_distribution_onto_the_other() -> None:
    """With exact scores of both sides a shift is learned: DMD's fixed point is the data."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    shift = torch.zeros((), requires_grad=True)
    for _ in range(150):
        made = shift + torch.randn(16, 1, 1, 1, 4, 4)
        gradient = _compare(made.detach(), rng, 2.0, shift.item())
        made.backward(gradient)
        with torch.no_grad():
            shift -= 0.05 * shift.grad  # type: ignore[operator]
            shift.grad = None
    assert shift.item() == pytest.approx(2.0, abs=0.15)


def test_levels_of_the_scores_keep_away_from_both_ends() -> None:
    sigma = ScoreNoise(low=0.1, high=0.9, shift=1.0).draw(np.random.default_rng(0), 500)
    assert 0.1 <= sigma.min() < 0.12
    assert 0.88 < sigma.max() <= 0.9


def test_the_gradient_towards_the_truth_by_hand() -> None:
    clean = torch.tensor([[2.0, 4.0], [0.0, 0.01]]).view(2, 1, 1, 1, 1, 2)
    weight = torch.tensor([[1.0, 3.0], [1.0, 7.0]]).view(2, 1, 1, 1, 1, 2)
    gradient, distance = truth_gradient(clean, torch.zeros_like(clean), weight)
    # mean weights 2 and 4; mean distances 3 and 0.005, of which the latter counts as 0.05
    wanted = torch.tensor([[2 / 3 / 2, 3 * 4 / 3 / 2], [0.0, 7 * 0.01 / 0.05 / 4]]) / 4
    torch.testing.assert_close(gradient.view(2, 2), wanted)
    assert distance == pytest.approx((3.0 + 0.005) / 2)
