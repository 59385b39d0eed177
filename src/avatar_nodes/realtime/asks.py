"""What a Realtime server is asked to say besides what it answers by itself."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass


@dataclass
class Ask:
    """A response that the server is to make."""

    turn: int
    text: str
    """What the visitor wrote; of turn 0 what the avatar is to say."""
    wanted: bool = True


class Asks:
    """One after another is asked; an answer is known by its tag, where the server keeps it."""

    def __init__(self) -> None:
        self._waiting: deque[Ask] = deque()
        self._asked: dict[str, Ask] = {}
        self._tags = itertools.count(1)

    @property
    def waiting(self) -> bool:
        """There is something that was not asked yet."""
        return bool(self._waiting)

    def add(self, turn: int, text: str) -> None:
        """Something more to be asked."""
        self._waiting.append(Ask(turn, text))

    def cancel(self, turn: int) -> None:
        """What belongs to this turn, and those before it, is not wanted; 0: turn 0's only."""
        for ask in self._pending():
            ask.wanted &= not (ask.turn == turn or 0 < ask.turn < turn)

    def take(self) -> tuple[str, Ask] | None:
        """The next that is wanted, which is asked now, and its tag. One that was asked before and
        not answered is not waited for."""
        while self._waiting:
            ask, tag = self._waiting.popleft(), f"ask-{next(self._tags)}"
            if ask.wanted:
                self._asked = {tag: ask}
                return tag, ask
        return None

    def claim(self, tag: str, *, else_any: bool = False) -> Ask | None:
        """What is answered, or refused, under a tag; `else_any`: under another one, too."""
        if else_any and tag not in self._asked and self._asked:
            (tag,) = self._asked
        return self._asked.pop(tag, None)

    def turns(self) -> list[int]:
        """Turns that wait for an answer."""
        return [ask.turn for ask in self._pending()]

    def _pending(self) -> list[Ask]:
        return [*self._waiting, *self._asked.values()]
