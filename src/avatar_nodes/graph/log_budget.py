"""Limits the lines of one writer of the log, in number and in length, whatever makes it write."""

from __future__ import annotations

import re
import time

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LogBudget:
    """So many lines at once, and so many a second from then on. What is left out is counted, and
    said with the next line that is not. A line that is too long keeps its two ends.

    Args:
        burst: lines at once.
        per_s: lines a second.
        longest: characters of a line.
    """

    def __init__(self, *, burst: int = 200, per_s: float = 20.0, longest: int = 4000) -> None:
        self._burst = burst
        self._per_s = per_s
        self._longest = longest
        self._left = float(burst)
        self._at: float | None = None
        self._left_out = 0

    def admit(self, text: str, *, urgent: bool = False, now: float | None = None) -> list[str]:
        """The lines to write in the place of `text`: none, itself, or what was left out before it.

        Args:
            urgent: it is written in any case.
            now: seconds of any steady clock; None: of the machine's.
        """
        now = time.monotonic() if now is None else now
        since = 0.0 if self._at is None else now - self._at
        self._left, self._at = min(self._burst, self._left + since * self._per_s), now
        if self._left < 1.0 and not urgent:
            self._left_out += 1
            return []
        self._left = max(0.0, self._left - 1.0)
        missing, self._left_out = self._left_out, 0
        line = shortened(text, self._longest)
        if not missing:
            return [line]
        return [f"({missing} lines were left out: more than {self._per_s:g} a second)", line]


def shortened(text: str, longest: int) -> str:
    """A text of at most about `longest` characters, from its two ends, without what moves a
    terminal's cursor."""
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} ... ({len(text) - 2 * half} more characters) ... {text[-half:]}"
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
