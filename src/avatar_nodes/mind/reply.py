"""One reply on its way out: what of it was given, is held back, or will never be given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from avatar_nodes.mind.reasoner import Intention, Request, Thinking


@dataclass(frozen=True)
class Segment:
    """A piece of a reply for the voice, as in avatar_msgs/ReplySegment."""

    turn: int
    index: int
    text: str
    is_last: bool = False
    cancelled: bool = False


class ReplyOutput(Protocol):
    """Who gets the replies; called from several threads, never from two at once."""

    def intend(self, turn: int, intention: Intention) -> None:
        """How the avatar moves with the reply of `turn`."""
        ...

    def speak(self, segment: Segment) -> None:
        """The next segment."""
        ...

    def complain(self, turn: int, problem: str, detail: str) -> None:
        """The reply of `turn` was not made as it should; see `Done`."""
        ...


@dataclass
class Reply:
    """The reply of one turn; whoever calls holds the runner's lock."""

    turn: int
    request: Request
    kind: str
    """`answer`, `pardon` or `silence`."""
    output: ReplyOutput
    began: float
    held: bool = False
    thinking: Thinking | None = None
    cancelled: bool = False
    finished: bool = False
    remembered: bool = False
    """It is the last exchange of the dialogue."""
    said: list[str] = field(default_factory=list)
    _waiting: list[Intention | Segment] = field(default_factory=list)
    _next_index: int = 0

    @property
    def over(self) -> bool:
        """No more of it will be made."""
        return self.cancelled or self.finished

    def give(self, item: Intention | str) -> None:
        """An intention or a sentence, now or once it is not held any more."""
        if self.over:
            return
        if isinstance(item, str):
            self.said.append(item)
            self._send(self._segment(item))
        else:
            self._send(item)

    def finish(self) -> None:
        """It is complete."""
        if not self.over:
            self.finished = True
            self._send(self._segment("", is_last=True))

    def hold(self) -> None:
        """Give nothing until `release`."""
        self.held = True

    def release(self) -> None:
        """Give what has waited, and go on."""
        self.held = False
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            self._send(item)

    def cancel(self) -> None:
        """Give nothing any more, but the sign for that, once."""
        if self.cancelled:
            return
        self.cancelled = True
        self._waiting.clear()
        if self.thinking is not None:
            self.thinking.cancel()
        self.output.speak(self._segment("", is_last=True, cancelled=True))

    def _segment(self, text: str, *, is_last: bool = False, cancelled: bool = False) -> Segment:
        index, self._next_index = self._next_index, self._next_index + 1
        return Segment(self.turn, index, text, is_last, cancelled)

    def _send(self, item: Intention | Segment) -> None:
        if self.held:
            self._waiting.append(item)
        elif isinstance(item, Intention):
            self.output.intend(self.turn, item)
        else:
            self.output.speak(item)
