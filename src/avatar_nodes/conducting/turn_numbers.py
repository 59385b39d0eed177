"""Numbers turns by a clock that may be set back; says which numbers of turns and epochs can be."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from avatar_nodes.errors.refused_error import RefusedError

# A year, more than any clock is set back by: the turns from before stay valid, also for a node that
# was restarted since and knows none of them. What is far ahead would leave too few numbers.
_FAR_AHEAD_MS = 366 * 24 * 3_600_000


def unix_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def check_turn(turn: int, unix_ms: int) -> None:
    """Raises RefusedError: no turn that can be at `unix_ms`, milliseconds since 1970."""
    if turn > unix_ms + _FAR_AHEAD_MS:
        raise RefusedError("turn", f"turn {turn} is far ahead of the clock")


def check_epoch(epoch: int, unix_ms: int) -> None:
    """Raises RefusedError: no epoch that can be at `unix_ms`, milliseconds since 1970. Whoever
    begins the one after it finds it within the bound, since time has gone on meanwhile."""
    if epoch > unix_ms + _FAR_AHEAD_MS:
        raise RefusedError("epoch", f"epoch {epoch} is far ahead of the clock")


def above_all_turns(unix_ms: int) -> int:
    """A valid number above those of all turns so far, also of such as were numbered before the
    clock was set back, by less than half a year."""
    return unix_ms + _FAR_AHEAD_MS // 2


class TurnNumbers:
    """Numbers turns by milliseconds since 1970, each above all that were heard of: to whoever knows
    of a newer turn an older one is over, and a clock that was set back would number none but such.
    Any thread may use it.

    clock: milliseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int] = unix_ms) -> None:
        self._clock = clock
        self._newest = 0
        self._lock = threading.Lock()

    def hear(self, turn: int) -> None:
        """There is this turn. Raises RefusedError: there cannot be."""
        check_turn(turn, self._clock())
        with self._lock:
            self._newest = max(self._newest, turn)

    def take(self) -> int:
        """The number of a turn that begins now."""
        with self._lock:
            self._newest = max(self._clock(), self._newest + 1)
            return self._newest
