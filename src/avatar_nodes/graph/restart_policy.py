"""Decides when a process that ended by itself may be started again."""

from __future__ import annotations

from collections import deque

from avatar_nodes.profile.supervision import RestartSection


class RestartPolicy:
    """Back-off and a limit against flapping, for one process.

    The pause starts at `delay_s` and doubles with every restart within the last `window_s` seconds,
    up to `max_delay_s`; after `max_restarts` restarts within the window there is none.
    """

    def __init__(self, settings: RestartSection) -> None:
        self._settings = settings
        self._restarts: deque[float] = deque()

    def next_delay(self, now_s: float) -> float | None:
        """Seconds to wait before the restart due at `now_s` (a monotonic clock), or None."""
        while self._restarts and now_s - self._restarts[0] > self._settings.window_s:
            self._restarts.popleft()
        count = len(self._restarts)
        if count >= self._settings.max_restarts:
            return None
        self._restarts.append(now_s)
        return float(min(self._settings.delay_s * 2**count, self._settings.max_delay_s))
