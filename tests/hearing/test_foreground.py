"""The visitor and what goes on behind him, by windows of 32 ms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.hearing.foreground import Foreground

WINDOW = 512
A_SECOND = 31


def run(
    foreground: Foreground, windows: int, level_db: float, *, in_turn: bool, speech: bool = True
) -> list[bool]:
    return [
        foreground.passes(WINDOW, level_db, speech=speech, in_turn=in_turn) for _ in range(windows)
    ]


@given(st.lists(st.floats(-120.0, 0.0), min_size=1, max_size=60), st.floats(-120.0, 0.0))
def test_without_a_background_loudness_plays_no_part(levels: list[float], first: float) -> None:
    foreground = Foreground()
    for level in levels:
        assert foreground.passes(WINDOW, level, speech=False, in_turn=False)
    assert foreground.passes(WINDOW, first, speech=True, in_turn=False)


def test_what_stays_far_below_the_turn_is_not_the_visitor() -> None:
    foreground = Foreground()
    assert all(run(foreground, A_SECOND, -20.0, in_turn=True))
    behind = run(foreground, A_SECOND, -36.0, in_turn=True)
    assert all(behind[:15]) and not any(behind[22:])
    assert not any(run(foreground, A_SECOND, -36.0, in_turn=False))
    assert all(run(foreground, 1, -25.0, in_turn=False)), "the visitor goes on"


def test_words_that_fade_for_a_moment_are_the_visitor_s() -> None:
    foreground = Foreground()
    for _ in range(5):
        assert all(run(foreground, A_SECOND, -20.0, in_turn=True))
        assert all(run(foreground, 12, -40.0, in_turn=True))
    assert all(run(foreground, A_SECOND, -30.0, in_turn=True)), "who turns away"


@pytest.mark.parametrize(("seconds", "kept_s"), [(1.2, 1.5), (3.0, 5.0)])
def test_a_background_that_falls_silent_is_forgotten(seconds: float, kept_s: float) -> None:
    foreground = Foreground()
    run(foreground, A_SECOND, -20.0, in_turn=True)
    run(foreground, round(seconds * A_SECOND), -40.0, in_turn=True)
    run(foreground, round((kept_s - 0.2) * A_SECOND), -90.0, in_turn=False, speech=False)
    assert run(foreground, 1, -40.0, in_turn=False) == [False]
    run(foreground, round((kept_s + 0.2) * A_SECOND), -90.0, in_turn=False, speech=False)
    assert run(foreground, 1, -40.0, in_turn=False) == [True]


def test_nobody_speaks_so_long_without_a_breath() -> None:
    foreground = Foreground()
    run(foreground, 11 * A_SECOND, -20.0, in_turn=True)
    assert not foreground.endless
    run(foreground, 8, -60.0, in_turn=True, speech=False)
    run(foreground, 11 * A_SECOND, -20.0, in_turn=True)
    assert not foreground.endless
    run(foreground, 2 * A_SECOND, -20.0, in_turn=True)
    assert foreground.endless
    foreground.ignore()
    assert not foreground.endless
    assert not any(run(foreground, A_SECOND, -20.0, in_turn=False))
    assert all(run(foreground, 1, -13.0, in_turn=False))
