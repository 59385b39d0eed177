"""The causal trainer's loss and its draw of noise levels, against small cases done by hand."""

import numpy as np
import pytest
import torch

from avatar_nodes.training.data.encoded import draw_window, motion_cells
from avatar_nodes.training.flow.matching import draw_sigmas, flow_matching_loss, level_weight
from avatar_nodes.training.loop.optimizers import learning_rate_scale


def test_loss_weighs_the_mouth_as_told() -> None:
    velocity = torch.zeros(1, 1, 2, 1, 1, 4)
    target = torch.zeros_like(velocity)
    target[..., 0] = 3.0  # in the mouth: square 9
    target[..., 1] = 1.0  # outside: square 1
    mouth = torch.zeros(1, 1, 1, 1, 1, 4)
    mouth[..., 0] = 1.0
    total, inside, outside = flow_matching_loss(velocity, target, mouth, 1.0 + 5.0 * mouth)
    assert inside.item() == pytest.approx(9.0)
    assert outside.item() == pytest.approx(1.0 / 3.0)
    assert total.item() == pytest.approx((6 * 9 + 1) / (6 + 3))


def test_loss_without_a_mouth_is_the_plain_mean() -> None:
    velocity = torch.ones(2, 1, 2, 1, 2, 2)
    mouth = torch.zeros(2, 1, 1, 1, 2, 2)
    weight = torch.ones_like(mouth)
    total, inside, outside = flow_matching_loss(velocity, torch.zeros_like(velocity), mouth, weight)
    assert total.item() == outside.item() == pytest.approx(1.0)
    assert inside.item() == 0.0


def test_levels_of_little_noise_weigh_as_one_half() -> None:
    """What is wrong in a difference from the sink is wrong in the velocity by 1 / sigma."""
    sigma = torch.tensor([[1.0, 0.5], [0.25, 0.0]])
    assert level_weight(sigma, "velocity").flatten().tolist() == [1.0] * 4
    weights = level_weight(sigma, "sink_difference")
    assert weights.shape == (2, 2, 1, 1, 1, 1)
    assert weights.flatten().tolist() == pytest.approx([1.0, 1.0, 0.25, 0.01])


def test_half_of_the_windows_have_one_level_for_all_blocks() -> None:
    sigma = draw_sigmas(np.random.default_rng(0), (64, 4), [1.0, 0.9, 0.75, 0.5], 0.5)
    constant = (sigma == sigma[:, :1]).all(dim=1)
    assert constant[::2].all()
    assert not constant[1::2].all()
    assert sigma.min() >= 0 and sigma.max() <= 1


@pytest.mark.parametrize(("share", "rows"), [(0.0, []), (0.25, [0, 4]), (1.0, list(range(8)))])
def test_as_many_windows_as_wanted_have_one_level(share: float, rows: list[int]) -> None:
    sigma = draw_sigmas(np.random.default_rng(0), (8, 4), [1.0], 0.0, same_noise_share=share)
    constant = (sigma == sigma[:, :1]).all(dim=1)
    assert constant.nonzero().flatten().tolist() == rows


def test_levels_of_inference_make_up_their_share() -> None:
    levels = [1.0, 0.9, 0.75, 0.5]
    sigma = draw_sigmas(np.random.default_rng(1), (4000, 2), levels, 0.75)
    on_schedule = torch.isin(sigma[:, 0], torch.tensor(levels)).float().mean().item()
    assert on_schedule == pytest.approx(0.75, abs=0.03)


def test_learning_rate_rises_stays_and_falls() -> None:
    assert learning_rate_scale(0, 0.0, 100) == pytest.approx(0.01)
    assert learning_rate_scale(500, 0.5, 100) == 1.0
    assert learning_rate_scale(500, 1.0, 100) == pytest.approx(0.02)


def test_motion_is_where_a_cell_left_the_reference() -> None:
    reference = np.zeros((1, 4, 1, 3), np.float32)
    latents = np.zeros((2, 4, 1, 3), np.float32)
    latents[1, :, 0, 1] = 2.0  # another thing altogether
    latents[1, :, 0, 2] = 0.1  # noise of the encoder
    assert motion_cells(latents, reference)[:, 0, 0].tolist() == [[0, 0, 0], [0, 1, 0]]


def test_windows_hold_a_change_of_the_prompt_as_often_as_told() -> None:
    lines = ["a"] * 7 + ["b"] * 5
    rng = np.random.default_rng(3)
    firsts = {draw_window(rng, lines, 3, 1.0) for _ in range(200)}
    assert firsts == {5, 6}
    assert {draw_window(rng, lines, 3, 0.0) for _ in range(400)} == set(range(10))
    assert {draw_window(rng, ["a"] * 4, 3, 1.0) for _ in range(50)} == {0, 1}
