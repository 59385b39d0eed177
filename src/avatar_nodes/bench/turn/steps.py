"""Takes the steps of a script with a running avatar: speaks into it, and waits for its answer."""

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
"""Longest wait for anything."""
_INTERRUPT_AFTER_S = 0.6
_BREATH = np.zeros(GRAPH_RATE // 4, np.int16)
_SILENCE_S = 3.0
_SAID = "Welcome to the museum."
_WRITTEN = "what is your name"
_HALVES = ("where are the", "toilets")
_HESITATION_S = 0.6
_ACTION, _ACTION_S = "A person waves with one hand.", 1.5


class Taken(NamedTuple):
    """Outcome of a step: "well", or the fault."""

    outcome: str
    refused: bool = False
    """True if the avatar refused the operator's wish."""


_WELL = Taken("well")


class TurnSteps:
    """Takes steps with a visitor and an operator.

    questions: int16 [n] at 16 kHz, asked one after the other, again and again."""

    def __init__(
        self, visitor: VirtualVisitor, witness: TurnWitness, operator: VirtualOperator,
        questions: Sequence[np.ndarray],
    ) -> None:  # fmt: skip
        self._visitor = visitor
        self._witness = witness
        self._operator = operator
        self._questions = questions
        self.barge_ins: list[tuple[str, int]] = []
        """State in which each was meant to come, and time at which it began [ns]."""
        self.coughs: list[int] = []
        """Time at which each began [ns]."""

    def take(self, step: Step) -> Taken:
        """Take a step, and wait for the first frame of the answer where one is expected.

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
        """The answer must be to the whole question, including its part after the pause."""
        question, resumed_s = hesitation(*_HALVES, pause_s=_HESITATION_S)
        begun = time.time_ns() + round((resumed_s - _HESITATION_S / 2.0) * 1e9)
        self._visitor.say(question)
        self._wait_for_answer(begun)

    def _wait_for_answer(self, begun: int) -> None:
        """Wait for an answer to speech since `begun` [ns]: the avatar may still answer earlier
        speech."""
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
        """Bring the avatar into the state, then speak, and wait for the answer to that."""
        visitor = self._visitor
        if step.kind is StepKind.BARGE_IN_SPEAKING:
            self._hear_the_beginning(question)
        elif step.kind is not StepKind.BARGE_IN_IDLE:
            visitor.say(question)
            visitor.wait_for("an ear for the visitor", lambda: visitor.noticed, PATIENCE_S)
            visitor.wait_for_state(AvatarState.LISTENING, PATIENCE_S)
            if step.kind is StepKind.BARGE_IN_THINKING:
                # At once after the visitor's turn: the next words meet the answer in the making.
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
