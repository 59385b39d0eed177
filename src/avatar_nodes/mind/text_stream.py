"""Text that a chat model writes, on its way from the thread that makes it to the one that reads."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from avatar_nodes.text.words import WholeSigns

_LONGEST = 20_000


class ChatError(RuntimeError):
    """A chat model that did not answer; `problem` is one word for counting."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem


@dataclass(frozen=True)
class Patience:
    """How long a reader waits for a chat model [s], each above 0."""

    first_s: float = 5.0
    """For the first piece of text."""
    stall_s: float = 3.0
    """For every piece after it."""
    total_s: float = 20.0
    """For the whole."""


class _End:
    pass


class TextStream:
    """One answer of a chat model. The maker calls `put`, `thinks`, `end` and `fail`, the reader
    `pieces`.

    `cancel` may come from any thread. `on_cancel` is called once the text is of no more use, to
    stop its maker: at the first `cancel`, or when the reader gives up.
    """

    def __init__(self) -> None:
        self._pieces: queue.SimpleQueue[str | ChatError | _End] = queue.SimpleQueue()
        self._signs = WholeSigns()
        self._cancelled = False
        self.thoughts_apart = False
        """The model thinks, and its thoughts are not in the text."""
        self.on_cancel: Callable[[], object] | None = None

    @property
    def cancelled(self) -> bool:
        """Nobody reads any more: the maker should stop."""
        return self._cancelled

    def put(self, text: str) -> None:
        """More text."""
        if text := self._signs.push(text):
            self._pieces.put(text)

    def thinks(self) -> None:
        """A sign of life: the model has thought, which the reader gets as an empty piece."""
        self.thoughts_apart = True
        self._pieces.put("")

    def end(self) -> None:
        """The answer is complete."""
        self._pieces.put(_End())

    def fail(self, problem: str, detail: str) -> None:
        """There will be no more text."""
        self._pieces.put(ChatError(problem, detail.replace("\n", " ")))

    def cancel(self) -> None:
        """The text is not wanted any more: the reader is released, the maker told."""
        if not self._cancelled:
            self._cancelled = True
            self._pieces.put(_End())
            if self.on_cancel is not None:
                self.on_cancel()

    def pieces(self, patience: Patience) -> Iterator[str]:
        """The text, piece by piece, until its end or `cancel`.

        Raises:
            ChatError: the maker failed, wrote without end, or was silent for too long.
        """
        started, begun = time.monotonic(), False
        wait_s, length = patience.first_s, 0
        try:
            while not self._cancelled:
                left_s = patience.total_s - (time.monotonic() - started)
                late = f"no {'more' if begun else 'first'} text within {wait_s:g} s"
                if left_s < wait_s:
                    late = f"no complete answer within {patience.total_s:g} s"
                piece = self._next(min(wait_s, left_s), late)
                if isinstance(piece, _End):
                    return
                length += len(piece)
                if length > _LONGEST:
                    raise ChatError("malformed", f"more than {_LONGEST} characters")
                wait_s, begun = patience.stall_s, True
                yield piece
        finally:
            self.cancel()

    def _next(self, wait_s: float, late: str) -> str | _End:
        try:
            piece = self._pieces.get(timeout=max(0.0, wait_s))
        except queue.Empty:
            raise ChatError("timeout", late) from None
        if isinstance(piece, ChatError):
            raise piece
        return piece
