"""Scripts of steps that a visitor takes: plain turns, barge-ins, and a mixed soak."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np


class StepKind(Enum):
    """A kind of step of the visitor or the operator; the value is its name in reports."""

    QUESTION = "question"
    BARGE_IN_IDLE = "barge_in_idle"
    BARGE_IN_LISTENING = "barge_in_listening"
    BARGE_IN_THINKING = "barge_in_thinking"
    BARGE_IN_SPEAKING = "barge_in_speaking"
    COUGH = "cough"
    """Into the reply."""
    SILENCE = "silence"
    NOISE = "noise"
    NONSENSE = "nonsense"
    """Speech without words."""
    HESITATION = "hesitation"
    """A question with a pause in the middle of it."""
    TYPED = "typed"
    """A question that is written."""
    INTERRUPT = "interrupt"
    """The operator stops the reply."""
    RESET = "reset"
    """The operator stops the reply and resets the dialogue."""
    SAY = "say"
    """The operator lets the avatar speak."""
    PERFORM = "perform"
    """The operator lets the avatar act."""


BARGE_INS = {
    StepKind.BARGE_IN_IDLE: "idle",
    StepKind.BARGE_IN_LISTENING: "listening",
    StepKind.BARGE_IN_THINKING: "thinking",
    StepKind.BARGE_IN_SPEAKING: "speaking",
}
"""Barge-ins, and the state in which each is meant to come."""

_TURNS = (
    *[StepKind.QUESTION] * 5,
    *[StepKind.BARGE_IN_SPEAKING] * 2,
    StepKind.BARGE_IN_THINKING,
    StepKind.BARGE_IN_LISTENING,
    StepKind.COUGH,
    *[StepKind.NONSENSE] * 2,
    StepKind.HESITATION,
    StepKind.TYPED,
    StepKind.INTERRUPT,
    StepKind.RESET,
)
_BETWEEN = (StepKind.SILENCE, StepKind.NOISE, StepKind.SAY, StepKind.PERFORM)
_TURNS_BETWEEN = 4


@dataclass(frozen=True)
class Step:
    """`number` chooses the question, and seeds what is random."""

    kind: StepKind
    number: int


def plain_turns(turns: int, *, interrupt_every: int) -> list[Step]:
    """Questions; every `interrupt_every`-th (0: none) is spoken into the answer to the one before
    it."""
    last = interrupt_every - 1
    return [
        Step(
            StepKind.BARGE_IN_SPEAKING
            if interrupt_every and number % interrupt_every == last
            else StepKind.QUESTION,
            number,
        )
        for number in range(turns)
    ]


def barge_ins(count: int) -> list[Step]:
    """Barge-ins in every state, one state after the other."""
    kinds = list(BARGE_INS)
    return [Step(kinds[number % len(kinds)], number) for number in range(count)]


def mixed_turns(turns: int, *, seed: int) -> list[Step]:
    """So many turns of every kind, and between them silence, noise and what the operator
    lets the avatar say and do, in
    an order that `seed` decides."""
    kinds = [_TURNS[n % len(_TURNS)] for n in range(turns)]
    kinds += [_BETWEEN[n % len(_BETWEEN)] for n in range(turns // _TURNS_BETWEEN)]
    order = np.random.default_rng(seed).permutation(len(kinds))
    return [Step(kinds[place], number) for number, place in enumerate(order)]
