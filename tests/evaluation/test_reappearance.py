"""A thing that comes back: what is shown when, and what is recognised, on truth and on noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.reappearance import (
    SHOWN_BLOCKS,
    Showings,
    Sighting,
    ThingJudge,
    Watched,
    _row,
    least_hidden,
    sight,
    thing_error,
)
from avatar_nodes.world.objects import COLOURS, Thing
from avatar_nodes.world.prompts import named_thing
from avatar_nodes.world.renderer import render

HIDDEN = 10


@pytest.fixture(scope="module")
def showings() -> Showings:
    return Showings.sample(7, hidden=HIDDEN)


def test_a_thing_is_shown_twice_and_hidden_between(showings: Showings) -> None:
    visible = showings.clip.object_visible
    for showing in (0, 1):
        assert all(visible[n] > 0.99 for n in showings.judged(showing))
    between = slice(showings.again * 12 - 8 * 12,
                    showings.again * 12)  # fmt: skip
    assert not visible[between].any()
    assert len(visible) == 12 * (2 + HIDDEN + 2 * SHOWN_BLOCKS)


def test_the_second_time_the_prompt_says_it(showings: Showings) -> None:
    thing = showings.clip.spec.thing
    assert thing is not None
    lines, named = showings.lines(named=False), showings.lines(named=True)
    assert {named_thing(line) for line in lines[showings.again :]} == {None}
    assert {named_thing(line) for line in named[showings.again :]} == {thing.name}
    assert lines[: showings.again] == named[: showings.again]
    assert {named_thing(line) for line in lines[2:6]} == {thing.name}


def test_the_truth_is_recognised_and_a_wrong_colour_is(showings: Showings) -> None:
    clip = showings.clip
    truth = {n: clip.frame(n) for showing in (0, 1) for n in showings.judged(showing)}
    for showing in (0, 1):
        seen = sight(showings, ThingJudge(clip), truth, showing)
        assert all(s == (clip.spec.thing, 0.0) for s in seen)
    thing = clip.performance.thing
    assert thing is not None
    other = next(colour for colour in COLOURS if colour != thing.colour)
    n = showings.judged(1)[0]
    painted = Showings.sample(7, hidden=HIDDEN)
    painted.clip.performance = replace(clip.performance, thing=replace(thing, colour=other))
    found = ThingJudge(clip).recognise(n, painted.clip.frame(n))
    assert found is not None and (found.kind, found.colour) == (thing.kind, other)


def test_a_thing_a_little_out_of_place_is_the_same_thing(showings: Showings) -> None:
    clip, n = showings.clip, showings.judged(0)[0]
    moved = np.roll(clip.frame(n), (3, -6), axis=(0, 1))
    found = ThingJudge(clip).recognise(n, moved)
    assert found == clip.spec.thing


def test_an_empty_hand_and_a_person_at_rest_show_nothing(showings: Showings) -> None:
    clip, n = showings.clip, showings.judged(1)[0]
    judge = ThingJudge(clip)
    assert judge.recognise(n, clip.reference()) is None
    empty = render(clip.identity, replace(clip.performance, thing=None), n)
    assert not np.array_equal(empty, clip.frame(n)) and judge.recognise(n, empty) is None


def test_the_error_of_nothing_is_that_of_the_picture_without_it(showings: Showings) -> None:
    clip, n = showings.clip, showings.judged(0)[0]
    box = clip.object_box(n)
    assert box is not None
    assert thing_error(clip.frame(n), clip.frame(n), box) == 0.0
    assert thing_error(clip.reference(), clip.frame(n), box) > 15.0


def test_a_thing_is_hidden_until_only_long_memory_can_have_it() -> None:
    """Looked at block by block: what the second showing's first block can see by its caches and
    short memory, and what the blocks in those caches could."""
    for past_blocks, lag, short in ((2, 4, 4), (2, 1, 0), (3, 4, 12), (0, 6, 1)):
        hidden = least_hidden(past_blocks=past_blocks, lag=lag, short=short, timing=BlockTiming())
        shown, again = 0, hidden + 1
        seen: set[int] = set()
        for block in range(again - past_blocks, again + 1):
            frames = [n // 3 for n in range(3 * (block + 1 - lag))]
            seen |= {*range(block - past_blocks, block), *frames[len(frames) - short :]}
        assert shown not in seen, (past_blocks, lag, short)


def test_a_row_tells_right_from_same() -> None:
    """A stream that shows a green ball twice instead of a red one is consistent, and wrong."""
    red, green, cup = Thing("ball", "red"), Thing("ball", "green"), Thing("cup", "green")
    watched = [
        Watched(red, [Sighting(green, 9.0)] * 2, [Sighting(green, 7.0)] * 2, held=True),
        Watched(red, [Sighting(red, 1.0)] * 2, [Sighting(cup, 3.0), Sighting(None, 5.0)], False),
        Watched(red, [Sighting(None, 8.0)] * 2, [Sighting(None, 8.0)] * 2, held=False),
    ]
    row = _row(watched)
    assert row["first_shown"] == pytest.approx(4 / 6)
    assert (row["first_kind"], row["first_colour"]) == (pytest.approx(4 / 6), pytest.approx(2 / 6))
    assert (row["again_kind"], row["again_colour"]) == (pytest.approx(2 / 6), 0.0)
    # nothing twice is not the same thing
    assert (row["same_kind"], row["same_colour"]) == (pytest.approx(2 / 6), pytest.approx(2 / 6))
    assert row["again_error"] == pytest.approx((7 + 7 + 3 + 5 + 8 + 8) / 6)
    assert row["held"] == pytest.approx(1 / 3)
