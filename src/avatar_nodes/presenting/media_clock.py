"""The one clock that pictures and sound are released by."""

from __future__ import annotations

_NANOSECONDS = 1_000_000_000


class MediaClock:
    """Counts slots of one frame each; slot n is due at start + n / fps, in whole nanoseconds.

    Sound and picture of a slot bear the same stamp, so they cannot drift apart. When the one who
    releases slots has been away for long (suspended, starved), the clock is moved on instead of
    being caught up with; when the time itself was set back, it is moved back.

    Args:
        fps: slots per second.
        slack_s: lateness up to which slots are caught up with.
        ahead_s: how far ahead the next slot may be.
    """

    def __init__(self, *, fps: int, slack_s: float = 0.2, ahead_s: float = 2.0) -> None:
        if fps < 1:
            raise ValueError(f"fps {fps}: expected at least 1")
        self._fps = fps
        self._slack_ns = round(slack_s * _NANOSECONDS)
        self._ahead_ns = round(ahead_s * _NANOSECONDS)
        self._start_ns: int | None = None
        self._slot = 0

    @property
    def started(self) -> bool:
        """True once slot 0 has its time."""
        return self._start_ns is not None

    @property
    def slot(self) -> int:
        """Number of the slot to be released next."""
        return self._slot

    def start(self, at_ns: int) -> None:
        """Slot 0 is due at `at_ns`."""
        self._start_ns = at_ns
        self._slot = 0

    def stamp_ns(self, ahead: int = 0) -> int:
        """Due time of the slot `ahead` of the next one [ns].

        Raises:
            RuntimeError: the clock has not been started.
        """
        if self._start_ns is None:
            raise RuntimeError("the media clock has not been started")
        return self._start_ns + (self._slot + ahead) * _NANOSECONDS // self._fps

    def catch_up(self, now_ns: int) -> int:
        """Move the clock if its next slot is overdue by more than the slack, or too far ahead;
        return the move [ns]."""
        late = now_ns - self.stamp_ns()
        if -self._ahead_ns <= late <= self._slack_ns or self._start_ns is None:
            return 0
        self._start_ns += late
        return late

    def release(self) -> int:
        """Release the next slot and return its stamp [ns]."""
        stamp = self.stamp_ns()
        self._slot += 1
        return stamp
