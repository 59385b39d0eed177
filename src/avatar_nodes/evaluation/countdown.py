"""Reports the progress of an evaluation: one line a piece of work, with the time left."""

from __future__ import annotations

import time
from collections.abc import Callable


class Countdown:
    """Counts `total` pieces of about the same length and tells `tell` about each that is done."""

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self._total = total
        self._tell = tell
        self._done = 0
        self._began = time.monotonic()

    def done(self, what: str) -> None:
        """Count one more piece; `what` names it and its result."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * max(0, self._total - self._done)
        shown = f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
        self._tell(f"{self._done}/{self._total} {what}, {shown}")
