"""The few-step schedule against diffusers' table."""

from __future__ import annotations

import json

import pytest
import torch
from support import golden
from support.streams import flow_match
from torch.testing import assert_close

from avatar_nodes.block.schedule import Schedule, ScheduleError

TABLE = json.loads((golden.FOLDER / "rope_schedule/schedule_and_rope.json").read_text())["steps"]


@pytest.mark.parametrize("steps", TABLE)
def test_levels_and_timesteps(steps: str) -> None:
    schedule = flow_match(int(steps))
    assert schedule.sigmas == pytest.approx(TABLE[steps]["sigmas"], abs=1e-6)
    times = [schedule.timestep(step) for step in range(schedule.num_steps)]
    assert times == pytest.approx(TABLE[steps]["timesteps"], abs=1e-3)


def test_euler_steps() -> None:
    data = golden.load("rope_schedule/euler_4_steps")
    schedule, x = flow_match(4), data["x0"]
    for step in range(4):
        x = schedule.advance(step, x, data["velocity"][step])
        assert_close(x, data["x_after"][step], atol=1e-6, rtol=0)


def test_a_straight_path_is_followed_to_its_end() -> None:
    clean, noise = torch.randn(2, 3, 4).unbind()
    schedule, x = Schedule([1.0, 0.7, 0.3, 0.0]), noise
    for step in range(3):
        assert_close(x, schedule.noised(step, clean, noise), atol=1e-6, rtol=0)
        x = schedule.advance(step, x, noise - clean)
    assert_close(x, clean, atol=1e-6, rtol=0)


def test_the_first_level_is_pure_noise() -> None:
    clean, noise = torch.randn(2, 3, 4).unbind()
    assert torch.equal(flow_match(4).noised(0, clean, noise), noise)


@pytest.mark.parametrize(
    "sigmas",
    [[], [0.0], [1.0, 0.5], [1.0, 1.0, 0.0], [0.5, 0.7, 0.0], [2.0, 0.0], [float("nan"), 0.0]],
)
def test_impossible_levels(sigmas: list[float]) -> None:
    with pytest.raises(ScheduleError, match="sigmas must fall"):
        Schedule(sigmas)
