"""Turns are found where speech begins and ends, at the very sample, whatever the settings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.hearing.turn_detector import (
    TurnBegan,
    TurnContinued,
    TurnDetector,
    TurnEnded,
    TurnEvent,
)

WINDOW = 512


def run(detector: TurnDetector, probabilities: Sequence[float], first: int = 0) -> list[TurnEvent]:
    events: list[TurnEvent] = []
    for number, probability in enumerate(probabilities):
        events += detector.push(first + number * WINDOW, WINDOW, probability)
    return events


def without_continued(events: Sequence[TurnEvent]) -> list[TurnEvent]:
    return [event for event in events if not isinstance(event, TurnContinued)]


def test_one_turn_with_its_pre_roll() -> None:
    detector = TurnDetector(ListenerSettings(min_speech_s=0.09, silence_s=0.32, pre_roll_s=0.1))
    events = without_continued(run(detector, [0.1] * 20 + [0.9] * 10 + [0.1] * 30))
    start, end = 20 * WINDOW, 30 * WINDOW
    assert events == [
        TurnBegan(start - 1600, start, True),
        TurnEnded(start, end, end + 10 * WINDOW, False, "silence"),
    ]
    assert not detector.speaking


def test_pre_roll_does_not_reach_before_the_beginning_or_into_another_turn() -> None:
    detector = TurnDetector(ListenerSettings(silence_s=0.1, pre_roll_s=2.0, min_utterance_s=0.0))
    detector.restart(1000)
    events = without_continued(run(detector, [0.9] * 6 + [0.0] * 5 + [0.9] * 6, first=1000))
    assert [event.first_sample for event in events if isinstance(event, TurnBegan)] == [
        1000,
        1000 + 10 * WINDOW,
    ]


def test_a_dip_within_speech_is_no_end_and_a_click_is_no_beginning() -> None:
    detector = TurnDetector()
    assert run(detector, [0.0] * 5 + [0.99, 0.99] + [0.0] * 20) == []
    events = without_continued(run(detector, [0.9, 0.3, 0.9, 0.9, 0.9] + [0.0] * 8 + [0.9] * 5))
    assert [type(event) for event in events] == [TurnBegan]
    assert detector.speaking


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    settings = ListenerSettings(vad_threshold=0.6, vad_release=0.4)
    assert run(TurnDetector(settings), [0.5] * 50) == []
    events = run(TurnDetector(settings), [0.7] * 4 + [0.5] * 50)
    assert isinstance(events[0], TurnBegan)
    assert not any(isinstance(event, TurnEnded) for event in events)


def test_a_threshold_for_one_window_moves_both() -> None:
    detector = TurnDetector()
    for number in range(40):
        assert detector.push(number * WINDOW, WINDOW, 0.7, threshold=0.8) == []
    began = [detector.push(number * WINDOW, WINDOW, 0.7) for number in range(40, 44)]
    assert isinstance(began[-1][0], TurnBegan)


def test_a_cough_is_too_short_for_words() -> None:
    settings = ListenerSettings(min_speech_s=0.06, min_utterance_s=0.3)
    ended = without_continued(run(TurnDetector(settings), [0.9] * 4 + [0.0] * 20))[-1]
    assert isinstance(ended, TurnEnded)
    assert (ended.too_short, ended.reason) == (True, "silence")
    speech = run(TurnDetector(settings), [0.9] * 20)
    told = [event.too_short for event in speech if not isinstance(event, TurnEnded)]
    assert told == [(2 + number) * WINDOW < 0.3 * 16000 for number in range(len(told))]


def test_endless_speech_is_cut_and_goes_on_as_the_next_turn() -> None:
    settings = ListenerSettings(max_utterance_s=2.0)
    events = without_continued(run(TurnDetector(settings), [0.9] * 150))
    ends = [event for event in events if isinstance(event, TurnEnded)]
    begins = [event for event in events if isinstance(event, TurnBegan)]
    assert [event.reason for event in ends] == ["length", "length"]
    assert [event.first_sample for event in begins[1:]] == [event.end_sample for event in ends]


@pytest.mark.parametrize("reason", ["gap", "end"])
def test_stop_ends_the_open_turn_once(reason: str) -> None:
    detector = TurnDetector()
    run(detector, [0.9] * 20)
    (ended,) = detector.stop(reason)  # type: ignore[arg-type]
    assert isinstance(ended, TurnEnded)
    assert (ended.reason, ended.speech_end) == (reason, 20 * WINDOW)
    assert detector.stop("end") == []


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_begins_and_ends_alternate(seed: int) -> None:
    random = np.random.default_rng(seed)
    levels = np.repeat(random.random(60), random.integers(1, 30, 60))
    detector = TurnDetector(ListenerSettings(max_utterance_s=3.0, silence_s=0.3))
    events = run(detector, list(levels)) + detector.stop("end")
    kinds = [type(event) for event in without_continued(events)]
    assert kinds == [TurnBegan, TurnEnded] * (len(kinds) // 2)
    ends = [event for event in events if isinstance(event, TurnEnded)]
    assert all(event.speech_start < event.speech_end <= event.end_sample for event in ends)


@pytest.mark.parametrize(
    "values",
    [
        {"vad_release": 0.6},
        {"max_utterance_s": 1.0, "silence_s": 2.0},
        {"vad_threshold": 0.2, "vad_release": 0.3},
    ],
)
def test_contradicting_settings_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        ListenerSettings(**values)
