"""Steps of a script with a visitor to whom things happen in a fixed order."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_msgs.msg import AvatarState
from avatar_nodes.bench.turn.script import Step, StepKind
from avatar_nodes.bench.turn.steps import Taken, TurnSteps
from avatar_nodes.client.visitor import VirtualVisitor, VisitorError
from avatar_nodes.timeline.turn_timeline import TurnTimeline

Happening = Callable[["FakeVisitor"], None]
QUESTION = np.ones(1600, np.int16)
WELL = Taken("well")


class FakeVisitor(VirtualVisitor):
    """Whenever something is waited for, the next thing happens."""

    def __init__(self, happenings: Sequence[Happening]) -> None:
        super().__init__("/nobody")
        self.happenings = list(happenings)
        self.said: list[np.ndarray] = []
        self.written: list[str] = []

    def say(self, samples: np.ndarray) -> None:
        self.said.append(samples)

    def write(self, text: str) -> None:
        self.written.append(text)

    def pause(self, seconds: float) -> None:
        pass

    def wait_for(self, what: str, condition: Callable[[], bool], timeout_s: float) -> None:
        while not condition():
            if not self.happenings:
                raise VisitorError(what)
            self.happenings.pop(0)(self)


class FakeWitness:
    audible = True

    def __init__(self) -> None:
        self.reply = "unnoticed"

    def became(self, begun: int, end: int) -> str:
        return self.reply


class FakeOperator:
    """Carries out what is wished, unless there is a `refusal`."""

    def __init__(self, refusal: str = "") -> None:
        self.refusal = refusal
        self.wishes: list[str] = []

    def say(self, text: str, *, timeout_s: float) -> str:
        self.wishes.append("say")
        return self.refusal

    def perform(self, prompt: str, *, seconds: float, timeout_s: float) -> str:
        self.wishes.append("perform")
        return self.refusal

    def interrupt(self, *, timeout_s: float) -> str:
        self.wishes.append("interrupt")
        return self.refusal

    def reset(self, *, timeout_s: float) -> str:
        self.wishes.append("reset")
        return self.refusal


def state(value: int) -> Happening:
    def happen(visitor: FakeVisitor) -> None:
        visitor.state = AvatarState(state=value)

    return happen


def noticed(value: bool) -> Happening:
    def happen(visitor: FakeVisitor) -> None:
        visitor.noticed = value

    return happen


def timeline(turn: int, *, ended_s: float, first_frame: bool) -> Happening:
    """`ended_s`: end of the visitor's speech, after now."""

    def happen(visitor: FakeVisitor) -> None:
        ended = time.time_ns() + round(ended_s * 1e9)
        visitor.timelines[turn] = TurnTimeline(
            turn, speech_ended=ended, utterance_ready=ended, first_frame=ended if first_frame else 0
        )

    return happen


def take(kind: StepKind, *happenings: Happening) -> tuple[Taken, FakeVisitor, TurnSteps]:
    visitor = FakeVisitor(happenings)
    steps = TurnSteps(visitor, cast(Any, FakeWitness()), cast(Any, None), [QUESTION])
    return steps.take(Step(kind, 0)), visitor, steps


FIRST_ANSWER = (timeline(1, ended_s=-2.0, first_frame=True), state(AvatarState.SPEAKING))
BARGED_IN = (noticed(True), state(AvatarState.LISTENING), noticed(False))


def test_a_reply_that_goes_on_is_no_answer_to_who_broke_in() -> None:
    goes_on = (
        *FIRST_ANSWER, *BARGED_IN, timeline(2, ended_s=1.0, first_frame=False),
        state(AvatarState.SPEAKING), timeline(1, ended_s=-2.0, first_frame=True),
    )  # fmt: skip
    with pytest.raises(VisitorError, match="the first of the answer"):
        take(StepKind.BARGE_IN_SPEAKING, *goes_on)
    taken, visitor, steps = take(
        StepKind.BARGE_IN_SPEAKING, *goes_on, timeline(2, ended_s=1.0, first_frame=True)
    )
    assert taken == WELL and not visitor.happenings and len(visitor.said) == 2
    assert [meant for meant, _ in steps.barge_ins] == ["speaking"]


def test_what_was_said_last_wants_the_answer() -> None:
    """The visitor paused, and his first half was answered."""
    half = (timeline(1, ended_s=1.0, first_frame=True), timeline(2, ended_s=2.0, first_frame=False))
    visitor = FakeVisitor(half)
    begun = time.time_ns()
    assert not visitor.answered(begun)
    visitor.happenings.pop(0)(visitor)
    assert visitor.answered(begun) and not visitor.answered(begun + 10_000_000_000)
    visitor.happenings.pop(0)(visitor)
    assert not visitor.answered(begun)


def test_what_is_typed_and_what_is_said_with_a_pause_want_an_answer_to_the_whole() -> None:
    typed, visitor, _ = take(StepKind.TYPED, timeline(1, ended_s=0.0, first_frame=True))
    assert typed == WELL and len(visitor.written) == 1 and not visitor.said
    half = timeline(1, ended_s=0.3, first_frame=True)
    with pytest.raises(VisitorError, match="the first of the answer"):
        take(StepKind.HESITATION, half)
    taken, visitor, _ = take(StepKind.HESITATION, half, timeline(2, ended_s=5.0, first_frame=True))
    assert taken == WELL and len(visitor.said) == 1 and len(visitor.said[0]) > 16000


@pytest.mark.parametrize("kind", [StepKind.INTERRUPT, StepKind.RESET])
def test_an_operator_s_stop_must_end_the_reply(kind: StepKind) -> None:
    witness, operator = FakeWitness(), FakeOperator()
    visitor = FakeVisitor([*FIRST_ANSWER])
    steps = TurnSteps(visitor, cast(Any, witness), cast(Any, operator), [QUESTION])
    with pytest.raises(VisitorError, match="ends the reply"):
        steps.take(Step(kind, 0))
    witness.reply = "cancelled"
    assert steps.take(Step(kind, 0)) == WELL and operator.wishes == [kind.value] * 2


@pytest.mark.parametrize("kind", [StepKind.SAY, StepKind.PERFORM])
def test_a_wish_may_be_refused(kind: StepKind) -> None:
    operator = FakeOperator()
    steps = TurnSteps(FakeVisitor([]), cast(Any, FakeWitness()), cast(Any, operator), [QUESTION])
    assert steps.take(Step(kind, 0)) == WELL and operator.wishes == [kind.value]
    operator.refusal = "busy"
    assert steps.take(Step(kind, 0)) == Taken("refused: busy", refused=True)


def test_a_question_wants_an_answer_that_is_seen() -> None:
    speaking = (state(AvatarState.SPEAKING), timeline(1, ended_s=1.0, first_frame=False))
    with pytest.raises(VisitorError):
        take(StepKind.QUESTION, *speaking)
    taken, visitor, _ = take(
        StepKind.QUESTION, *speaking, timeline(1, ended_s=1.0, first_frame=True)
    )
    assert taken == WELL and len(visitor.said) == 1
