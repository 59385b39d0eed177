"""The runner: one reply at a time, held, gone on with, dropped, and remembered."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.reply_stage import NOD, Stage, StepReasoner, answer
from support.waiting import wait_until

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Intention, Sentence
from avatar_nodes.mind.reply import Segment
from avatar_nodes.text.words import clean_text, has_words


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.runner.close()
    assert not any(thread.name == "reply runner" for thread in threading.enumerate())


def test_a_reply(stage: Stage) -> None:
    thinking = stage.hear(7)
    stage.think(thinking, Began(), NOD, Sentence("One."), Sentence("Two."), Done())
    stage.expect((7, "<nods>"), (7, "One."), (7, "Two."), (7, "END"))
    assert [segment.index for segment in stage.record.segments] == [0, 1, 2]
    assert stage.record.segments[-1] == Segment(7, 2, "", is_last=True)
    wanted = {"first_token_ms": 1, "first_segment_ms": 1, "reply_ms": 1}
    assert stage.record.samples == wanted
    assert stage.record.complaints == []


def test_a_sentence_goes_out_while_the_next_is_made(stage: Stage) -> None:
    thinking = stage.hear(7)
    stage.think(thinking, NOD, Sentence("One."))
    stage.expect((7, "<nods>"), (7, "One."))


def test_the_beginning_of_a_long_text_is_answered(stage: Stage) -> None:
    stage.hear(7, "x" * 5000)
    assert [request.utterance for request in stage.reasoner.requests] == ["x" * 4000]


def test_of_any_text_the_words_are_answered() -> None:
    """With the conductor's idea of words: it waits for exactly these."""
    turns = itertools.count(1)
    stage = Stage()

    @given(st.text(st.characters(), max_size=30))
    @example("👍🏽")
    @example("...")
    @example("!" * 5000 + "a")
    def check(text: str) -> None:
        coughs = stage.record.counts["coughs"]
        stage.runner.hear(next(turns), text, busy=True)
        coughed = stage.record.counts["coughs"] - coughs
        assert coughed == (not has_words(clean_text(text)))

    check()
    stage.runner.close()


class TestControl:
    def test_a_held_reply_is_thought_out_and_given_later(self, stage: Stage) -> None:
        thinking = stage.hear(7)
        stage.think(thinking, NOD, Sentence("One."))
        stage.expect((7, "<nods>"), (7, "One."))
        stage.runner.pause(7)
        stage.think(thinking, Sentence("Two."), Done())
        wait_until(lambda: stage.record.counts["replies"] == 1, what="the reply's end")
        stage.expect((7, "<nods>"), (7, "One."))
        stage.runner.resume(7)
        stage.expect((7, "<nods>"), (7, "One."), (7, "Two."), (7, "END"))

    def test_cancelled_while_held(self, stage: Stage) -> None:
        thinking = stage.hear(7)
        stage.think(thinking, NOD)
        stage.expect((7, "<nods>"))
        stage.runner.pause(7)
        stage.think(thinking, Sentence("One."))
        wait_until(lambda: stage.record.samples["first_segment_ms"] == 1, what="the sentence")
        stage.runner.cancel(7)
        stage.runner.resume(7)
        stage.expect((7, "<nods>"), (7, "CANCELLED"))
        assert thinking.cancelled.is_set()

    def test_cancelled_once(self, stage: Stage) -> None:
        thinking = stage.hear(7)
        stage.think(thinking, NOD)
        stage.expect((7, "<nods>"))
        stage.runner.cancel(6)
        stage.runner.cancel(8)
        stage.runner.cancel(7)
        stage.think(thinking, Sentence("late"))
        stage.expect((7, "<nods>"), (7, "CANCELLED"))
        assert stage.record.counts["cancelled"] == 1

    def test_cancelled_after_its_end_tells_the_voice(self, stage: Stage) -> None:
        answer(stage, 7, "a", "A.")
        stage.runner.cancel(7)
        stage.expect((7, "<nods>"), (7, "A."), (7, "END"), (7, "CANCELLED"))

    def test_a_newer_turn_cancels(self, stage: Stage) -> None:
        first = stage.hear(7)
        stage.think(first, NOD, Sentence("One."))
        stage.expect((7, "<nods>"), (7, "One."))
        second = stage.hear(8)
        assert first.cancelled.is_set()
        stage.think(second, NOD, Sentence("New."), Done())
        stage.expect(
            (7, "<nods>"), (7, "One."), (7, "CANCELLED"), (8, "<nods>"), (8, "New."), (8, "END")
        )

    def test_a_pause_and_a_drop_may_come_before_the_turn(self, stage: Stage) -> None:
        stage.runner.pause(7)
        thinking = stage.hear(7)
        stage.think(thinking, NOD, Done())
        wait_until(lambda: stage.record.counts["replies"] == 1, what="the reply's end")
        assert stage.record.given == []
        stage.runner.cancel(8)
        stage.expect((7, "CANCELLED"))
        stage.runner.hear(8, "hello")
        stage.expect((7, "CANCELLED"), (8, "CANCELLED"))
        stage.think(stage.hear(9), NOD)
        stage.expect((7, "CANCELLED"), (8, "CANCELLED"), (9, "<nods>"))
        assert len(stage.reasoner.requests) == 2

    def test_a_pause_of_an_older_turn_does_not_hold_a_newer(self, stage: Stage) -> None:
        stage.runner.pause(7)
        stage.think(stage.hear(8), NOD)
        stage.expect((8, "<nods>"))


class TestTurns:
    @pytest.mark.parametrize(("turn", "reason"), [(7, "stale"), (6, "stale"), (0, "turn")])
    def test_refused(self, stage: Stage, turn: int, reason: str) -> None:
        stage.hear(7)
        with pytest.raises(RefusedError) as caught:
            stage.runner.hear(turn, "hello")
        assert caught.value.reason == reason

    def test_a_reset_takes_any_turn_again(self, stage: Stage) -> None:
        stage.hear(7)
        stage.runner.reset()
        stage.think(stage.hear(3), NOD)
        stage.expect((7, "CANCELLED"), (3, "<nods>"))

    def test_a_cough_while_it_speaks_is_passed_over(self, stage: Stage) -> None:
        thinking = stage.hear(7)
        stage.runner.hear(8, " . ", busy=True)
        assert not thinking.cancelled.is_set()
        assert stage.record.given == []

    def test_a_cough_that_holds_it_is_passed_over(self, stage: Stage) -> None:
        thinking = stage.hear(7)
        stage.runner.pause(7)
        stage.runner.hear(8, "")
        stage.runner.resume(7)
        stage.think(thinking, NOD)
        stage.expect((7, "<nods>"))

    def test_a_cough_that_comes_after_what_it_held_has_gone_on(self, stage: Stage) -> None:
        """The orders of the conversation and the visitor's words are on two topics."""
        answer(stage, 7, "hello", "Hi.")
        given = len(stage.record.given)
        stage.runner.pause(7)
        stage.runner.resume(7)
        stage.runner.hear(8, "")
        assert stage.record.counts["coughs"] == 1
        assert len(stage.record.given) == given
        stage.runner.hear(9, "")  # the next one holds nothing: it is not understood
        wait_until(lambda: (9, "END") in stage.record.given, what="the end")

    def test_a_cough_that_was_heard_of_excuses_no_other(self, stage: Stage) -> None:
        answer(stage, 7, "hello", "Hi.")
        stage.runner.hear(8, "", busy=True)
        stage.runner.pause(7)
        stage.runner.resume(7)
        stage.runner.hear(9, "")
        wait_until(lambda: (9, "END") in stage.record.given, what="the end")


class TestNotUnderstood:
    def test_pardon_once_then_silence(self, stage: Stage) -> None:
        pardon = stage.phrasebook.persona.fallback.pardon
        for turn in (1, 2, 3):
            stage.runner.hear(turn, "")
            wait_until(lambda turn=turn: (turn, "END") in stage.record.given, what="the end")
        assert " ".join(s.text for s in stage.record.segments if s.turn == 1).strip() in pardon
        assert stage.record.given[-2:] == [(2, "END"), (3, "END")]
        answer(stage, 4, "hello", "Hi.")
        stage.runner.hear(5, "?")
        wait_until(lambda: (5, "END") in stage.record.given, what="the end")
        assert sum(1 for segment in stage.record.segments if segment.turn == 5) > 1
        assert len(stage.reasoner.requests) == 1

    def test_low_confidence(self) -> None:
        stage = Stage(min_confidence=0.5)
        stage.runner.hear(1, "mumble", confidence=0.4)
        wait_until(lambda: (1, "END") in stage.record.given, what="the end")
        stage.runner.hear(2, "hello", confidence=0.5)
        wait_until(lambda: len(stage.reasoner.requests) == 1, what="the thinking")
        stage.runner.hear(3, "hello", confidence=-1.0)
        wait_until(lambda: len(stage.reasoner.requests) == 2, what="the thinking")
        stage.runner.close()


class TestDialogue:
    def test_is_bounded_and_can_be_forgotten(self) -> None:
        stage = Stage(dialogue_turns=2)
        for turn in (1, 2, 3):
            answer(stage, turn, f"u{turn}", f"R{turn}.")
        stage.hear(4)
        told = [(e.utterance, e.reply) for e in stage.reasoner.requests[-1].dialogue]
        assert told == [("u2", "R2."), ("u3", "R3.")]
        stage.runner.forget()
        stage.hear(5)
        assert stage.reasoner.requests[-1].dialogue == ()
        stage.runner.close()

    def test_of_a_cancelled_reply_what_was_said_is_kept(self, stage: Stage) -> None:
        thinking = stage.hear(1, "tell me all")
        stage.think(thinking, NOD, Sentence("One."))
        stage.expect((1, "<nods>"), (1, "One."))
        stage.hear(2)
        (exchange,) = stage.reasoner.requests[-1].dialogue
        assert (exchange.utterance, exchange.reply) == ("tell me all", "One.")


class TestProblems:
    def test_a_problem_is_told_and_counted(self, stage: Stage) -> None:
        thinking = stage.hear(1)
        stage.think(thinking, Intention("shrugs", "rests", name="trouble"), Done("timeout", "slow"))
        stage.expect((1, "<shrugs>"), (1, "END"))
        assert stage.record.complaints == [(1, "timeout", "slow")]
        assert stage.record.counts["problem/timeout"] == 1
        assert stage.record.counts["fallbacks"] == 1

    def test_an_error_in_the_backend_ends_one_reply(self, stage: Stage) -> None:
        thinking = stage.hear(1)
        stage.think(thinking, NOD, RuntimeError("out of\nmemory"))
        wait_until(lambda: (1, "END") in stage.record.given, what="the end")
        assert stage.record.complaints == [(1, "internal", "RuntimeError: out of memory")]
        said = " ".join(segment.text for segment in stage.record.segments).strip()
        assert said in stage.phrasebook.persona.fallback.trouble
        answer(stage, 2, "hello", "Hi.")

    def test_another_persona_drops_what_was_not_given_out(self, stage: Stage) -> None:
        answer(stage, 1, "hello", "Hi.")
        thinking, other = stage.hear(2), StepReasoner()
        stage.runner.become(other, Phrasebook(load_persona("guide"), seed=0))
        assert thinking.cancelled.is_set()
        assert stage.record.given[-1] == (2, "CANCELLED")
        with pytest.raises(RefusedError):
            stage.runner.hear(2, "hello")
        stage.runner.hear(3, "hello")
        wait_until(lambda: len(other.requests) == 1, what="the thinking")
        assert other.requests[0].dialogue == ()
        stage.think(other.thinkings[0], NOD, Done())
        wait_until(lambda: (3, "END") in stage.record.given, what="the end")
        assert (1, "CANCELLED") not in stage.record.given

    def test_closed_while_it_thinks(self) -> None:
        stage = Stage()
        thinking = stage.hear(1)
        stage.runner.close()
        assert thinking.cancelled.is_set()
        assert stage.record.given == [(1, "CANCELLED")]


def test_a_cough_into_what_the_avatar_says_on_its_own_is_passed_over(stage: Stage) -> None:
    answer(stage, 3, "hello", "Hello.")
    stage.runner.pause(0)
    stage.runner.resume(0)
    stage.runner.hear(4, "")
    assert stage.record.counts["coughs"] == 1
    answer(stage, 5, "where", "There.")
    assert [turn for turn, text in stage.record.given if text == "END"] == [3, 5]


def test_a_reply_that_was_not_heard_to_its_end_is_remembered_as_such(stage: Stage) -> None:
    answer(stage, 1, "tell me more", "It is long.")
    stage.runner.cancel(1)
    answer(stage, 2, "stop", "Yes.")
    stage.hear(3, "and now")
    remembered = stage.reasoner.requests[-1].dialogue
    assert [(e.reply, e.cut_short) for e in remembered] == [("It is long.", True), ("Yes.", False)]


def test_words_into_a_reply_cut_it_short_too(stage: Stage) -> None:
    answer(stage, 1, "tell me more", "It is long.")
    stage.runner.hear(2, "stop", busy=True)
    wait_until(lambda: len(stage.reasoner.requests) == 2, what="the thinking")
    assert stage.reasoner.requests[-1].dialogue[0].cut_short


def test_after_a_long_silence_somebody_else_speaks() -> None:
    now = [0.0]
    stage = Stage(forget_after_s=60.0, clock=lambda: now[0])  # type: ignore[arg-type]
    try:
        answer(stage, 1, "my name is Ann", "Hello Ann.")
        now[0] += 59.0
        answer(stage, 2, "who am I", "Ann.")
        assert len(stage.reasoner.requests[-1].dialogue) == 1
        now[0] += 61.0
        answer(stage, 3, "who am I", "I do not know.")
        assert stage.reasoner.requests[-1].dialogue == ()
    finally:
        stage.runner.close()
