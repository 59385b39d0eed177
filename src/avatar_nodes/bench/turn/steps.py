"""Takes the steps of a script with a running avatar: speaks into it, and waits for what follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from avatar_msgs.msg import AvatarState
from avatar_nodes.bench.turn.script import BARGE_INS, Step, StepKind
from avatar_nodes.bench.turn.stray_sound import cough, hesitation, noise, nonsense
from avatar_nodes.bench.turn.witness import TurnWitness
from avatar_nodes.client.operator import VirtualOperator
from avatar_nodes.client.visitor import VirtualVisitor
from avatar_nodes.sound.audio_file import GRAPH_RATE

PATIENCE_S = 60.0
"""How long anything is waited for."""
_INTERRUPT_AFTER_S = 0.6
_BREATH = np.zeros(GRAPH_RATE // 4, np.int16)
_SILENCE_S = 3.0
_SAID = "Welcome to the museum."
_WRITTEN = "what is your name"
_HALVES = ("where are the", "toilets")
_HESITATION_S = 0.6
_ACTION, _ACTION_S = "A person waves with one hand.", 1.5


class Taken(NamedTuple):
    """What became of a step: "well", or what was wrong."""

    outcome: str
    refused: bool = False
    """A wish of the operator that was not carried out."""


_WELL = Taken("well")


class TurnSteps:
    """questions: int16 [n] at 16 kHz, one after the other, again and again."""

    def __init__(
        self, visitor: VirtualVisitor, witness: TurnWitness, operator: VirtualOperator,
        questions: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        self._visitor = visitor
        self._witness = witness
        self._operator = operator
        self._questions = questions
        self.barge_ins: list[tuple[str, int]] = []
        """In which state each was meant to come, and when it began [ns]."""
        self.coughs: list[int] = []
        """When each began [ns]."""

    def take(self, step: Step) -> Taken:
        """Until the first of the answer is there, where one is wanted.

        Raises:
            VisitorError: it did not come.
            VisitBrokenOffError: see VirtualVisitor.
        """
        visitor, kind = self._visitor, step.kind
        question = self._questions[step.number % len(self._questions)]
        if kind is StepKind.SILENCE:
            visitor.pause(_SILENCE_S)
        elif kind is StepKind.NOISE:
            visitor.say(noise(step.number))
        elif kind is StepKind.NONSENSE:
            visitor.say(nonsense(step.number))
        elif kind is StepKind.SAY:
            return self._wish(self._operator.say(_SAID, timeout_s=PATIENCE_S))
        elif kind is StepKind.PERFORM:
            return self._wish(
                self._operator.perform(_ACTION, seconds=_ACTION_S, timeout_s=PATIENCE_S)
            )
        elif kind is StepKind.INTERRUPT:
            self._hear_the_beginning(question)
            return self._stop(self._operator.interrupt)
        elif kind is StepKind.RESET:
            self._hear_the_beginning(question)
            return self._stop(self._operator.reset)
        elif kind is StepKind.HESITATION:
            self._hesitate()
        elif kind is StepKind.TYPED:
            begun = time.time_ns() - 1
            visitor.write(_WRITTEN)
            self._wait_for_answer(begun)
        elif kind is StepKind.COUGH:
            self._hear_the_beginning(question)
            self.coughs.append(time.time_ns())
            visitor.say(cough(step.number))
        elif kind is StepKind.QUESTION:
            begun = time.time_ns()
            visitor.say(question)
            self._wait_for_answer(begun)
        else:
            self._barge_in(step, question)
        return _WELL

    @staticmethod
    def _wish(refusal: str) -> Taken:
        return Taken(f"refused: {refusal}", refused=True) if refusal else _WELL

    def _stop(self, order: Callable[..., str]) -> Taken:
        """The operator stops the reply: it must have been cancelled."""
        begun = time.time_ns()
        taken = self._wish(order(timeout_s=PATIENCE_S))
        self._visitor.wait_for(
            "the order that ends the reply",
            lambda: self._witness.became(begun, time.time_ns()) == "cancelled",
            PATIENCE_S,
        )
        return taken

    def _hesitate(self) -> None:
        """The answer must be one to the whole: to what comes behind the pause."""
        question, resumed_s = hesitation(*_HALVES, pause_s=_HESITATION_S)
        begun = time.time_ns() + round((resumed_s - _HESITATION_S / 2.0) * 1e9)
        self._visitor.say(question)
        self._wait_for_answer(begun)

    def _wait_for_answer(self, begun: int) -> None:
        """To what was said last, and not to what was said before `begun` [ns]: the avatar may go on
        with that."""
        self._visitor.wait_for(
            "the first of the answer", lambda: self._visitor.answered(begun), PATIENCE_S
        )

    def _hear_the_beginning(self, question: np.ndarray) -> None:
        """Ask, until the answer was audible for a while."""
        visitor, witness = self._visitor, self._witness
        visitor.say(question)
        visitor.wait_for_state(AvatarState.SPEAKING, PATIENCE_S)
        visitor.wait_for("the avatar's voice", lambda: witness.audible, PATIENCE_S)
        visitor.pause(_INTERRUPT_AFTER_S)

    def _barge_in(self, step: Step, question: np.ndarray) -> None:
        """Bring the avatar into the state, and then speak; the last question wants an answer."""
        visitor = self._visitor
        if step.kind is StepKind.BARGE_IN_SPEAKING:
            self._hear_the_beginning(question)
        elif step.kind is not StepKind.BARGE_IN_IDLE:
            visitor.say(question)
            visitor.wait_for("an ear for the visitor", lambda: visitor.noticed, PATIENCE_S)
            visitor.wait_for_state(AvatarState.LISTENING, PATIENCE_S)
            if step.kind is StepKind.BARGE_IN_THINKING:
                # At once after his turn: what he says next comes upon the answer in the making.
                visitor.wait_for("the turn's end", lambda: not visitor.noticed, PATIENCE_S)
            else:
                question = np.concatenate([_BREATH, question])
        begun = time.time_ns()
        self.barge_ins.append((BARGE_INS[step.kind], begun))
        visitor.say(question)
        # Not by the state LISTENING: where blocks are slow, none may show it.
        visitor.wait_for("an ear for the visitor", lambda: visitor.noticed, PATIENCE_S)
        visitor.wait_for("the turn's end", lambda: not visitor.noticed, PATIENCE_S)
        self._wait_for_answer(begun)
