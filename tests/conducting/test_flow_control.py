"""Credits bound what is under way; the clock lets no block leave before its time."""

from __future__ import annotations

import pytest

from avatar_nodes.conducting.flow_control import CreditWindow, JustInTime


def test_credits_bound_the_blocks_under_way() -> None:
    window = CreditWindow(max_in_flight=2, first_block=10)
    assert [window.issue(), window.issue()] == [10, 11]
    assert (window.in_flight, window.open) == (2, False)
    assert window.give_back(10)
    assert (window.in_flight, window.open) == (1, True)


def test_credits_that_are_no_news_change_nothing() -> None:
    window = CreditWindow(max_in_flight=4, first_block=0)
    window.issue()
    window.issue()
    assert window.give_back(1)
    assert not window.give_back(1)
    assert not window.give_back(0)
    assert not window.give_back(99)
    window.restart(7)
    assert (window.next_block, window.in_flight) == (7, 0)
    assert not window.give_back(1)


def clock() -> JustInTime:
    jit = JustInTime(block_s=0.5, margin_s=0.1)
    jit.restart(0)
    return jit


def measured(jit: JustInTime, took: list[float]) -> None:
    """Blocks 1, 2, ... took so long from issue to presenter."""
    for block, seconds in enumerate(took, start=1):
        jit.issued(block, 0.0)
        jit.playable(block, seconds)


def test_the_first_block_leaves_at_once_and_the_second_waits_for_it() -> None:
    jit = clock()
    assert jit.wait(0, 100.0) < 0.0
    jit.issued(0, 100.0)
    for now in (100.0, 103.0, 110.0):
        assert jit.wait(1, now) > 0.0


def test_a_block_leaves_as_late_as_the_pipeline_allows() -> None:
    jit = clock()
    measured(jit, [0.2, 0.2, 0.2])
    jit.next_due(4, 10.0)
    assert jit.wait(4, 9.0) == pytest.approx(10.0 - 0.2 - 0.1 - 9.0)
    assert jit.wait(5, 9.0) == pytest.approx(10.5 - 0.2 - 0.1 - 9.0)


def test_one_accident_makes_no_block_early_but_two_do() -> None:
    jit = clock()
    measured(jit, [0.2] * 5 + [3.0])
    assert jit.pipeline_s == pytest.approx(0.2)
    measured(jit, [3.0])
    assert jit.pipeline_s == pytest.approx(3.0)
    measured(jit, [0.3] * 12)
    assert jit.pipeline_s == pytest.approx(0.3)


def test_the_first_block_of_an_epoch_is_not_measured() -> None:
    jit = clock()
    jit.issued(0, 0.0)
    jit.playable(0, 9.0)
    assert jit.pipeline_s == pytest.approx(0.25)


def test_a_presenter_that_holds_moves_what_is_due() -> None:
    jit = clock()
    measured(jit, [0.2, 0.2])
    jit.next_due(3, 10.0)
    assert jit.wait(3, 12.0) < 0.0
    assert jit.wait(4, 12.0) == pytest.approx(0.5 - 0.3)  # no burst to catch up
