"""Pictures and sound of the same stamp come together again, in order, and losses are counted."""

from __future__ import annotations

import numpy as np

from avatar_nodes.recording.stamp_pairing import Pair, StampPairing

STEP = 40_000_000
SILENCE = np.zeros(2, np.int16)


def frame(number: int) -> np.ndarray:
    return np.full((2, 2, 3), number, np.uint8)


def numbers(pairs: list[Pair]) -> list[int]:
    return [pair.stamp_ns // STEP for pair in pairs]


def both(to: StampPairing, number: int, *, last: bool = False) -> list[Pair]:
    pairs = to.add_frame(number * STEP, frame(number))
    return pairs + to.add_sound(number * STEP, SILENCE, last=last)


def test_one_topic_may_be_far_ahead() -> None:
    pairing = StampPairing(fps=25)
    for number in range(5):
        assert pairing.add_frame(number * STEP, frame(number)) == []
    pairs = [p for n in range(5) for p in pairing.add_sound(n * STEP, SILENCE, last=n == 4)]
    assert numbers(pairs) == [0, 1, 2, 3, 4]
    assert [pair.last for pair in pairs] == [False] * 4 + [True]
    assert [int(pair.frame[0, 0, 0]) for pair in pairs] == [0, 1, 2, 3, 4]


def test_a_half_that_never_comes_is_given_up() -> None:
    pairing = StampPairing(fps=25, patience=3)
    assert numbers(both(pairing, 0)) == [0]
    pairing.add_sound(STEP, SILENCE, last=False)
    pairs = [pair for number in range(2, 6) for pair in both(pairing, number)]
    assert numbers(pairs) == [2, 3, 4, 5]
    assert [pair.missing for pair in pairs] == [1, 0, 0, 0]
    assert pairing.given_up == 1


def test_at_the_end_complete_pairs_are_handed_out() -> None:
    pairing = StampPairing(fps=25)
    pairing.add_frame(0, frame(0))
    both(pairing, 1)
    assert numbers(pairing.flush()) == [1]


def test_what_comes_twice_or_too_late_is_ignored() -> None:
    pairing = StampPairing(fps=25)
    both(pairing, 3)
    assert both(pairing, 3) == both(pairing, 2) == []
    assert pairing.waiting == 0


def test_a_clock_that_was_set_back_begins_a_new_order() -> None:
    pairing = StampPairing(fps=25)
    later = 200
    assert numbers(both(pairing, later)) == [later]
    assert both(pairing, later - 1) == [], "late, not another order"
    pairing.add_frame((later + 1) * STEP, frame(0))
    pairs = [pair for number in range(3) for pair in both(pairing, number)]
    assert numbers(pairs) == [0, 1, 2]
    assert [pair.missing for pair in pairs] == [0, 0, 0]
