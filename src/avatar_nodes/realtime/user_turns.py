"""The visitor's turns, as a Realtime server tells of them: by items of its conversation."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_KEPT = 16


@dataclass
class UserTurn:
    """What the visitor said in one go. Times are nanoseconds since 1970."""

    turn: int
    item: str
    start_ns: int
    end_ns: int
    speaking: bool = True
    text: str = ""
    """As far as it was written down."""
    understood: bool = False
    """Its final text was told."""
    answered: bool = False
    """An answer to it has begun."""


class UserTurns:
    """The last turns, oldest first.

    number: gives a turn that begins now its number.
    """

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._turns: deque[UserTurn] = deque(maxlen=_KEPT)

    @property
    def speaking(self) -> UserTurn | None:
        """The turn in which the visitor is speaking."""
        newest = self._turns[-1] if self._turns else None
        return newest if newest is not None and newest.speaking else None

    @property
    def unanswered(self) -> UserTurn | None:
        """The newest turn that is over, if no answer to it has begun."""
        newest = next((turn for turn in reversed(self._turns) if not turn.speaking), None)
        return None if newest is None or newest.answered else newest

    def pending(self) -> list[UserTurn]:
        """Turns that are over and whose text is not known."""
        return [turn for turn in self._turns if not (turn.speaking or turn.understood)]

    def start(self, item: str, at_ns: int) -> UserTurn:
        """The visitor begins to speak."""
        turn = UserTurn(self._number(), item, at_ns, at_ns)
        self._turns.append(turn)
        return turn

    def stop(self, item: str, at_ns: int) -> UserTurn | None:
        """The visitor has stopped; None: that is known already."""
        turn = self.speaking
        if turn is None:
            if not item or self.of(item) is not None:
                return None
            turn = self.start(item, at_ns)  # a server that does not tell when speech begins
        turn.speaking, turn.item = False, item or turn.item
        turn.end_ns = max(turn.start_ns, at_ns)
        return turn

    def of(self, item: str) -> UserTurn | None:
        """The turn that is this item; None: none is known."""
        return next((turn for turn in reversed(self._turns) if turn.item == item), None)

    def forget(self) -> None:
        """The server's conversation is another."""
        self._turns.clear()
