"""What is said with a pause in it comes as several turns, and is one utterance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.reply_stage import NOD, Stage, answer

from avatar_nodes.mind.reasoner import Sentence
from avatar_nodes.mind.utterance_parts import Span


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage(join_s=1.0)
    yield stage
    stage.runner.close()


def asked(stage: Stage) -> list[tuple[str, str]]:
    return [(request.utterance, request.latest) for request in stage.reasoner.requests]


@pytest.mark.parametrize("greeting", ["", "hello "])
def test_a_short_one_is_within_the_utterance(stage: Stage, greeting: str) -> None:
    first = stage.hear(1, f"{greeting}where are the", Span(10.0, 11.0))
    stage.think(first, NOD, Sentence("I do not know."))
    stage.expect((1, "<nods>"), (1, "I do not know."))
    stage.hear(2, "toilets", Span(11.6, 12.0))
    assert first.cancelled.is_set()
    request = stage.reasoner.requests[-1]
    assert request.utterance == f"{greeting}where are the toilets"
    assert (request.latest, request.dialogue) == ("toilets", ())


@pytest.mark.parametrize("greeting", ["", "hello "])
def test_after_a_long_one_he_says_something_else(stage: Stage, greeting: str) -> None:
    answer(stage, 1, f"{greeting}where are the", "Where?", Span(10.0, 11.0))
    stage.hear(2, "toilets", Span(13.0, 13.5))
    request = stage.reasoner.requests[-1]
    assert (request.utterance, request.latest) == ("toilets", "toilets")
    (exchange,) = request.dialogue
    assert exchange.utterance == f"{greeting}where are the"


def test_after_the_clock_was_set_back_he_says_something_else(stage: Stage) -> None:
    answer(stage, 1, "who are you", "A guide.", Span(3610.0, 3611.0))
    stage.hear(2, "where is the exit", Span(20.0, 21.0))
    request = stage.reasoner.requests[-1]
    assert request.utterance == "where is the exit"
    assert [exchange.reply for exchange in request.dialogue] == ["A guide."]


def test_an_answer_to_half_of_it_is_taken_back_and_no_other(stage: Stage) -> None:
    answer(stage, 1, "good morning", "Hello!", Span(1.0, 2.0))
    answer(stage, 2, "hello", "Hi.", Span(10.0, 11.0))
    answer(stage, 3, "where are", "Pardon?", Span(11.5, 12.0))
    stage.runner.cancel(3)
    stage.hear(4, "the toilets", Span(12.6, 13.0))
    request = stage.reasoner.requests[-1]
    assert (request.utterance, request.latest) == ("hello where are the toilets", "the toilets")
    assert [exchange.reply for exchange in request.dialogue] == ["Hello!"]


def test_nothing_is_taken_back_where_nothing_was_answered(stage: Stage) -> None:
    answer(stage, 1, "good morning", "Hello!", Span(1.0, 2.0))
    stage.hear(2, "where are", Span(10.0, 11.0))
    stage.hear(3, "the toilets", Span(11.5, 12.0))
    request = stage.reasoner.requests[-1]
    assert request.utterance == "where are the toilets"
    assert [exchange.reply for exchange in request.dialogue] == ["Hello!"]


def test_noise_in_a_pause_does_not_prolong_it(stage: Stage) -> None:
    stage.hear(1, "where are the", Span(10.0, 11.0))
    stage.runner.hear(2, "", span=Span(11.4, 11.9))
    stage.hear(3, "toilets", Span(12.5, 13.0))
    assert asked(stage)[-1] == ("toilets", "toilets")
    stage.runner.hear(4, "", span=Span(13.2, 13.4))
    stage.hear(5, "please", Span(13.9, 14.3))
    assert asked(stage)[-1] == ("toilets please", "please")


def test_what_is_written_is_whole(stage: Stage) -> None:
    stage.hear(1, "where are the", None)
    stage.hear(2, "toilets", Span(10.0, 11.0))
    stage.hear(3, "thanks", None)
    assert asked(stage) == [(text, text) for text in ("where are the", "toilets", "thanks")]


def test_another_visitor_does_not_end_it(stage: Stage) -> None:
    answer(stage, 1, "where are the", "Pardon?", Span(10.0, 11.0))
    stage.runner.forget()
    stage.hear(2, "toilets", Span(11.6, 12.0))
    assert asked(stage)[-1] == ("toilets", "toilets")


def test_who_never_stops_is_not_heard_as_one(stage: Stage) -> None:
    stage.hear(1, "a" * 3000, Span(0.0, 20.0))
    stage.hear(2, "b" * 3000, Span(20.0, 40.0))
    assert asked(stage)[-1][0] == "b" * 3000


def test_it_can_be_left() -> None:
    stage = Stage(join_s=0.0)
    stage.hear(1, "where are the", Span(10.0, 11.0))
    stage.hear(2, "toilets", Span(11.0, 12.0))
    assert asked(stage)[-1] == ("toilets", "toilets")
    stage.runner.close()
