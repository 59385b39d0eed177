"""The sentences of one reply, in the order of their numbers, whatever order they come in."""

from __future__ import annotations

from dataclasses import dataclass

MAX_WAITING = 512
"""Sentences that may wait; more are refused."""


@dataclass(frozen=True)
class Sentence:
    """A sentence to be spoken."""

    index: int
    """Number within the reply, from 0."""
    text: str
    """May be empty: nothing is to be said."""
    language: str
    """BCP 47; empty: the voice's own."""


class ReplyOrder:
    """Hands out sentences by number. One that is missing is waited for shortly, then given up.

    Args:
        gap_s: how long to wait for a missing sentence while a later one is there [s].
        patience_s: how long to wait for the next sentence while none is there [s].
    """

    def __init__(self, *, gap_s: float, patience_s: float) -> None:
        self._gap_s = gap_s
        self._patience_s = patience_s
        self._waiting: dict[int, Sentence] = {}
        self._next = 0
        self._last: int | None = None
        self._gap_since: float | None = None
        self._idle_since: float | None = None

    @property
    def waiting(self) -> int:
        """Sentences that came and were not taken."""
        return len(self._waiting)

    @property
    def complete(self) -> bool:
        """True once every sentence up to the last was taken or given up."""
        return self._last is not None and self._next > self._last

    @property
    def announced(self) -> bool:
        """True once the last sentence has come."""
        return self._last is not None

    def add(self, sentence: Sentence, *, is_last: bool) -> bool:
        """Take a sentence; false: it was had before, comes too late, or there are too many."""
        index = sentence.index
        late = index < self._next or index in self._waiting
        beyond = self._last is not None and index > self._last
        if late or beyond or len(self._waiting) >= MAX_WAITING:
            return False
        self._waiting[index] = sentence
        self._idle_since = None
        if is_last:
            self._last = index
            self._waiting = {i: s for i, s in self._waiting.items() if i <= index}
        return True

    def take(self, now: float) -> Sentence | None:
        """The next sentence; None: it has not come (see `given_up` for when it never will)."""
        if self._next not in self._waiting:
            if not self._waiting:
                self._gap_since = None
                return None
            self._gap_since = now if self._gap_since is None else self._gap_since
            if now - self._gap_since < self._gap_s:
                return None
            self._next = min(self._waiting)
        self._gap_since = None
        self._next += 1
        return self._waiting.pop(self._next - 1)

    def given_up(self, now: float, *, held: bool = False) -> bool:
        """True when the rest of the reply has not come for too long; time `held` does not count."""
        if held or self._waiting or self.complete:
            self._idle_since = None
            return False
        self._idle_since = now if self._idle_since is None else self._idle_since
        return now - self._idle_since >= self._patience_s

    def wakes_at(self) -> float | None:
        """When a wait of `take` or `given_up` will be over; None: there is none."""
        if self._gap_since is not None:
            return self._gap_since + self._gap_s
        if self._idle_since is not None:
            return self._idle_since + self._patience_s
        return None
