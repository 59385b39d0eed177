"""Finds out if an avatar got stuck on its way back to rest, from its states and the sound heard.

The conductor ends every phase that lasts too long, so a fault seldom lasts for ever: it shows as
time in which the avatar does not rest, and nobody is heard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from avatar_msgs.msg import AvatarState

Span = tuple[int, int]
"""Begin and end [ns]."""

_STUCK_S = 10.0
"""More than any answer takes to be heard, and less than it takes the conductor to end a phase."""
_ALONE_S = 5.0
"""More than the conductor waits for a visitor who has fallen silent."""


@dataclass(frozen=True)
class Rest:
    """The avatar's way back to rest in a stretch of time; seconds."""

    back_s: float | None
    """From the last sound of the avatar or the visitor to the state IDLE; 0: IDLE came before.
    None: it did not come."""
    waited_s: float
    """Longest time out of rest in which neither was heard."""
    alone_s: float
    """Longest time in LISTENING in which the visitor was not heard."""

    @property
    def stuck(self) -> bool:
        """The avatar waited in vain, until the conductor ended it, or still does."""
        return self.back_s is None or self.waited_s > _STUCK_S or self.alone_s > _ALONE_S


def find_rest(
    states: Sequence[tuple[int, int]], *, sound: Iterable[Span], spoken: Iterable[Span],
    begin: int, end: int,
) -> Rest:  # fmt: skip
    """Rest in the time from `begin` to `end` [ns]. states: (begin [ns], state), in order. sound,
    spoken: times in which the avatar and the visitor were heard."""
    visitor = [span for span in spoken if span[1] > begin and span[0] < end]
    avatar = [span for span in sound if span[1] > begin and span[0] < end]
    shown = _shown(states, begin, end)
    busy = _merged((since, until) for since, until, state in shown if state != AvatarState.IDLE)
    listening = _merged((a, b) for a, b, state in shown if state == AvatarState.LISTENING)
    heard = _merged([*visitor, *avatar])
    waits = _without(busy, heard)
    back: float | None = None
    if not shown or shown[-1][2] == AvatarState.IDLE:
        until = busy[-1][1] if busy else begin
        back = sum((b - a) / 1e9 for a, b in waits if b == until)
    alone = _without(listening, _merged(visitor))
    return Rest(back, _longest_s(waits), _longest_s(alone))


def _shown(states: Sequence[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int, int]]:
    """Begin, end and number of each state between two moments."""
    ends = [since for since, _ in states[1:]] + [end] * bool(states)
    clipped = (
        (max(since, begin), min(until, end), state)
        for (since, state), until in zip(states, ends, strict=True)
    )
    return [span for span in clipped if span[0] < span[1]]


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _without(spans: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """`spans` without `others`; both are merged."""
    left: list[Span] = []
    for begin, end in spans:
        for other_begin, other_end in others:
            if other_end <= begin or other_begin >= end:
                continue
            if other_begin > begin:
                left.append((begin, other_begin))
            begin = min(other_end, end)
        if begin < end:
            left.append((begin, end))
    return left


def _longest_s(spans: Sequence[Span]) -> float:
    return max(((end - begin) / 1e9 for begin, end in spans), default=0.0)
