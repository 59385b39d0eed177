"""Joins what the visitor says with a pause in it, heard as several turns, into one utterance."""

from __future__ import annotations

from typing import NamedTuple

_LONGEST = 4000


class Span(NamedTuple):
    """When something was spoken, by any one clock [s]."""

    start: float
    end: float


class UtteranceParts:
    """The parts of the newest utterance, as far as they were heard.

    Args:
        longest_pause_s: what is said within this time goes on with what was said before; 0: it
            never does.
    """

    def __init__(self, longest_pause_s: float) -> None:
        self._longest_pause_s = longest_pause_s
        self._text = ""
        self._end: float | None = None

    def goes_on(self, text: str, span: Span | None) -> bool:
        """Whether `text` goes on with the newest utterance; one that was written (no span) does
        not, nor what would make it longer than 4000 characters."""
        if span is None or self._end is None or not self._longest_pause_s:
            return False
        short = len(self._text) + 1 + len(text) <= _LONGEST
        # Far before that end it begins only by a clock that was set back.
        return short and abs(span.start - self._end) <= self._longest_pause_s

    def add(self, text: str, span: Span | None) -> str:
        """Hear a part with words; returns the whole utterance."""
        self._text = f"{self._text} {text}" if self.goes_on(text, span) else text
        self._end = span.end if span is not None else None
        return self._text

    def forget(self) -> None:
        """What comes next is an utterance of its own."""
        self._text, self._end = "", None
