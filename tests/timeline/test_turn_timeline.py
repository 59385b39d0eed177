"""Durations are differences of milestones that were reached, and one line says them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.timeline.turn_timeline import (
    MILESTONES,
    PARTS,
    TOTALS,
    TurnTimeline,
    describe,
)

SECOND = 1_000_000_000
WHOLE = TurnTimeline(
    turn=7,
    speech_started=10 * SECOND,
    speech_ended=12 * SECOND,
    turn_detected=12 * SECOND + 400_000_000,
    utterance_ready=12 * SECOND + 500_000_000,
    first_token=12 * SECOND + 550_000_000,
    first_segment=12 * SECOND + 560_000_000,
    first_sound=12 * SECOND + 580_000_000,
    first_block=12 * SECOND + 700_000_000,
    first_frame=12 * SECOND + 900_000_000,
    reply_ended=15 * SECOND,
)


def test_durations_of_a_whole_turn() -> None:
    assert WHOLE.durations() == pytest.approx(
        {
            "speech": 2.0, "silence": 0.4, "recognition": 0.1, "thinking": 0.05,
            "first_sentence": 0.01, "synthesis": 0.02, "block": 0.12, "picture": 0.2, "reply": 2.1,
            "to_first_sound": 0.58, "to_first_frame": 0.9,
        }
    )  # fmt: skip


@given(st.sets(st.sampled_from(MILESTONES)))
def test_what_was_not_reached_has_no_duration(missing: set[str]) -> None:
    durations = replace(WHOLE, **dict.fromkeys(missing, 0)).durations()
    assert set(durations) == {
        name for name, ends in {**PARTS, **TOTALS}.items() if not missing & set(ends)
    }
    assert all(durations[name] == WHOLE.durations()[name] for name in durations)


def test_parts_follow_each_other_from_the_first_milestone_to_the_last() -> None:
    assert tuple(begin for begin, _ in PARTS.values()) == MILESTONES[:-1]
    assert tuple(end for _, end in PARTS.values()) == MILESTONES[1:]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {},
            "turn 7: 2.00 s of speech, answered after 0.90 s (silence 0.40 + recognition 0.10 +"
            " thinking 0.05 + first sentence 0.01 + synthesis 0.02 + block 0.12 + picture 0.20),"
            " 2.10 s of reply",
        ),
        (
            {"first_frame": 0, "reply_ended": 0, "first_block": 0, "interrupted": True},
            "turn 7: 2.00 s of speech, no answer (silence 0.40 + recognition 0.10 + thinking 0.05 +"
            " first sentence 0.01 + synthesis 0.02), cut short",
        ),
        (dict.fromkeys(MILESTONES, 0), "turn 7: no answer"),
        (
            dict.fromkeys(MILESTONES[:8], 0),
            "turn 7: answered, 2.10 s of reply",
        ),
    ],
)
def test_one_line_says_it(changes: dict, line: str) -> None:
    assert describe(replace(WHOLE, **changes)) == line
