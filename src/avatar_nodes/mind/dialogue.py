"""Keeps the dialogue so far, as much of it as is worth remembering."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

_LONGEST = 2000


@dataclass(frozen=True)
class Exchange:
    """What the visitor said, and what the avatar answered."""

    utterance: str
    reply: str
    cut_short: bool = False
    """The visitor did not hear the reply to its end."""


class Dialogue:
    """The last exchanges; older ones are forgotten.

    Args:
        limit: how many are kept; 0: none.
    """

    def __init__(self, limit: int) -> None:
        self._exchanges: deque[Exchange] = deque(maxlen=limit)

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """Oldest first."""
        return tuple(self._exchanges)

    def add(self, utterance: str, reply: str) -> None:
        """Remember an exchange; texts beyond 2000 characters are cut."""
        self._exchanges.append(Exchange(utterance[:_LONGEST], reply[:_LONGEST]))

    def cut_short(self) -> None:
        """The visitor did not hear the last reply to its end."""
        if self._exchanges:
            self._exchanges.append(replace(self._exchanges.pop(), cut_short=True))

    def take_back(self) -> None:
        """The visitor has gone on with what he said: the last exchange was half of it."""
        if self._exchanges:
            self._exchanges.pop()

    def forget(self) -> None:
        """The next visitor is somebody else."""
        self._exchanges.clear()
