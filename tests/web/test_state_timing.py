"""The avatar's acts are told when they are seen, answers to the visitor at once."""

from __future__ import annotations

import pytest

from avatar_nodes.web.state_timing import StateTiming


def timing() -> StateTiming:
    found = StateTiming(block_s=0.5)
    found.note(block=11, due_s=100.0)
    return found


@pytest.mark.parametrize("state", ["speaking", "idle"])
def test_an_act_waits_for_its_block(state: str) -> None:
    assert timing().in_s(state, block=11, now_s=99.2) == pytest.approx(0.8)
    assert timing().in_s(state, block=12, now_s=99.2) == pytest.approx(1.3)
    assert timing().in_s(state, block=9, now_s=98.5) == pytest.approx(0.5), "it waits already"
    assert timing().in_s(state, block=9, now_s=99.5) == 0.0, "it is being shown"


@pytest.mark.parametrize("state", ["listening", "thinking", "rendering", "finished"])
def test_an_answer_does_not_wait(state: str) -> None:
    assert timing().in_s(state, block=13, now_s=99.2) == 0.0


def test_no_clock_and_no_end() -> None:
    assert StateTiming(block_s=0.5).in_s("speaking", block=3, now_s=7.0) == 0.0
    assert timing().in_s("speaking", block=1000, now_s=99.0) == 3.0
