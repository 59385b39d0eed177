"""The runner: one reply at a time, held, gone on with, dropped, and remembered."""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from support.waiting import wait_until

from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import Phrasebook
from avatar_nodes.mind.reasoner import Began, Done, Intention, Request, Sentence, Thought
from avatar_nodes.mind.reply import Segment
from avatar_nodes.mind.reply_runner import ReplyRunner, TurnError
from avatar_nodes.mind.utterance_parts import Span

NOD = Intention("nods", "rests")


class StepReasoner:
    """Gives the thoughts that the test hands it, when it does."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.thinkings: list[StepThinking] = []

    def think(self, request: Request) -> StepThinking:
        self.requests.append(request)
        self.thinkings.append(StepThinking())
        return self.thinkings[-1]

    def close(self) -> None:
        pass


class StepThinking:
    def __init__(self) -> None:
        self.thoughts: queue.SimpleQueue[Thought | Exception | None] = queue.SimpleQueue()
        self.cancelled = threading.Event()

    def __iter__(self) -> Iterator[Thought]:
        while (thought := self.thoughts.get(timeout=300.0)) is not None:
            if isinstance(thought, Exception):
                raise thought
            yield thought

    def cancel(self) -> None:
        self.cancelled.set()
        self.thoughts.put(None)


class Record:
    """Output and measures of a runner."""

    def __init__(self) -> None:
        self.given: list[tuple[int, str]] = []
        self.segments: list[Segment] = []
        self.complaints: list[tuple[int, str, str]] = []
        self.counts: Counter[str] = Counter()
        self.samples: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def intend(self, turn: int, intention: Intention) -> None:
        self.given.append((turn, f"<{intention.action_prompt}>"))

    def speak(self, segment: Segment) -> None:
        self.segments.append(segment)
        sign = "CANCELLED" if segment.cancelled else "END" if segment.is_last else segment.text
        self.given.append((segment.turn, sign))

    def complain(self, turn: int, problem: str, detail: str) -> None:
        self.complaints.append((turn, problem, detail))

    def sample(self, name: str, value: float) -> None:
        assert value >= 0.0
        self.samples[name] += 1

    def count(self, name: str, amount: int = 1) -> None:
        self.counts[name] += amount

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value


class Stage:
    """A runner, its reasoner, and what came out."""

    def __init__(self, **options: float) -> None:
        self.reasoner, self.record = StepReasoner(), Record()
        self.phrasebook = Phrasebook(load_persona("default"), seed=0)
        self.runner = ReplyRunner(
            self.reasoner,
            self.phrasebook,
            self.record,
            self.record,
            **options,  # type: ignore[arg-type]
        )

    def hear(self, turn: int, text: str = "hello", span: Span | None = None) -> StepThinking:
        """Let it hear `text`; returns the thinking that it begins."""
        before = len(self.reasoner.thinkings)
        self.runner.hear(turn, text, span=span)
        wait_until(lambda: len(self.reasoner.thinkings) > before, what="the thinking")
        return self.reasoner.thinkings[-1]

    def think(self, thinking: StepThinking, *thoughts: Thought | Exception) -> None:
        for thought in thoughts:
            thinking.thoughts.put(thought)

    def expect(self, *given: tuple[int, str]) -> None:
        wait_until(lambda: len(self.record.given) >= len(given), what=f"{given}")
        assert self.record.given == list(given)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.runner.close()
    assert not any(thread.name == "reply runner" for thread in threading.enumerate())


def answer(stage: Stage, turn: int, text: str, reply: str, span: Span | None = None) -> None:
    """A whole turn."""
    thinking = stage.hear(turn, text, span)
    stage.think(thinking, Began(), NOD, Sentence(reply), Done())
    wait_until(lambda: (turn, "END") in stage.record.given, what="the end")


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
        with pytest.raises(TurnError) as caught:
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


class TestPauses:
    """What is said with a pause in it comes as several turns."""

    @pytest.fixture
    def stage(self) -> Iterator[Stage]:
        stage = Stage(join_s=1.0)
        yield stage
        stage.runner.close()

    @staticmethod
    def asked(stage: Stage) -> list[tuple[str, str]]:
        return [(request.utterance, request.latest) for request in stage.reasoner.requests]

    @pytest.mark.parametrize("greeting", ["", "hello "])
    def test_a_short_one_is_within_the_utterance(self, stage: Stage, greeting: str) -> None:
        first = stage.hear(1, f"{greeting}where are the", Span(10.0, 11.0))
        stage.think(first, NOD, Sentence("I do not know."))
        stage.expect((1, "<nods>"), (1, "I do not know."))
        stage.hear(2, "toilets", Span(11.6, 12.0))
        assert first.cancelled.is_set()
        request = stage.reasoner.requests[-1]
        assert request.utterance == f"{greeting}where are the toilets"
        assert (request.latest, request.dialogue) == ("toilets", ())

    @pytest.mark.parametrize("greeting", ["", "hello "])
    def test_after_a_long_one_he_says_something_else(self, stage: Stage, greeting: str) -> None:
        answer(stage, 1, f"{greeting}where are the", "Where?", Span(10.0, 11.0))
        stage.hear(2, "toilets", Span(13.0, 13.5))
        request = stage.reasoner.requests[-1]
        assert (request.utterance, request.latest) == ("toilets", "toilets")
        (exchange,) = request.dialogue
        assert exchange.utterance == f"{greeting}where are the"

    def test_an_answer_to_half_of_it_is_taken_back_and_no_other(self, stage: Stage) -> None:
        answer(stage, 1, "good morning", "Hello!", Span(1.0, 2.0))
        answer(stage, 2, "hello", "Hi.", Span(10.0, 11.0))
        answer(stage, 3, "where are", "Pardon?", Span(11.5, 12.0))
        stage.runner.cancel(3)
        stage.hear(4, "the toilets", Span(12.6, 13.0))
        request = stage.reasoner.requests[-1]
        assert (request.utterance, request.latest) == ("hello where are the toilets", "the toilets")
        assert [exchange.reply for exchange in request.dialogue] == ["Hello!"]

    def test_nothing_is_taken_back_where_nothing_was_answered(self, stage: Stage) -> None:
        answer(stage, 1, "good morning", "Hello!", Span(1.0, 2.0))
        stage.hear(2, "where are", Span(10.0, 11.0))
        stage.hear(3, "the toilets", Span(11.5, 12.0))
        request = stage.reasoner.requests[-1]
        assert request.utterance == "where are the toilets"
        assert [exchange.reply for exchange in request.dialogue] == ["Hello!"]

    def test_noise_in_a_pause_does_not_prolong_it(self, stage: Stage) -> None:
        stage.hear(1, "where are the", Span(10.0, 11.0))
        stage.runner.hear(2, "", span=Span(11.4, 11.9))
        stage.hear(3, "toilets", Span(12.5, 13.0))
        assert self.asked(stage)[-1] == ("toilets", "toilets")
        stage.runner.hear(4, "", span=Span(13.2, 13.4))
        stage.hear(5, "please", Span(13.9, 14.3))
        assert self.asked(stage)[-1] == ("toilets please", "please")

    def test_what_is_written_is_whole(self, stage: Stage) -> None:
        stage.hear(1, "where are the", None)
        stage.hear(2, "toilets", Span(10.0, 11.0))
        stage.hear(3, "thanks", None)
        assert self.asked(stage) == [
            (text, text) for text in ("where are the", "toilets", "thanks")
        ]

    def test_another_visitor_does_not_end_it(self, stage: Stage) -> None:
        answer(stage, 1, "where are the", "Pardon?", Span(10.0, 11.0))
        stage.runner.forget()
        stage.hear(2, "toilets", Span(11.6, 12.0))
        assert self.asked(stage)[-1] == ("toilets", "toilets")

    def test_who_never_stops_is_not_heard_as_one(self, stage: Stage) -> None:
        stage.hear(1, "a" * 3000, Span(0.0, 20.0))
        stage.hear(2, "b" * 3000, Span(20.0, 40.0))
        assert self.asked(stage)[-1][0] == "b" * 3000

    def test_it_can_be_left(self) -> None:
        stage = Stage(join_s=0.0)
        stage.hear(1, "where are the", Span(10.0, 11.0))
        stage.hear(2, "toilets", Span(11.0, 12.0))
        assert self.asked(stage)[-1] == ("toilets", "toilets")
        stage.runner.close()


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
        with pytest.raises(TurnError):
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
