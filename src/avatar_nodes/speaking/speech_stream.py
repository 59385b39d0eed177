"""One text's sound on its way from the thread that makes it to the thread that takes it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np


class SpeechStream(Iterator[np.ndarray]):
    """Iterates over chunks of int16 mono samples [n > 0] as they are made.

    Whoever made it calls `put` and at last `finish`; whoever takes it iterates. `cancel`, from any
    thread, ends the iteration at once, also one that waits, and tells the maker.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._chunks: deque[np.ndarray] = deque()
        self._finished = False
        self._error: Exception | None = None
        self._cancelled = False
        self._on_cancel: list[Callable[[], None]] = []
        self._began = time.monotonic()
        self._made_s: float | None = None

    @property
    def cancelled(self) -> bool:
        """Nobody wants the rest."""
        return self._cancelled

    @property
    def made_s(self) -> float:
        """Seconds that making it took, or has taken so far."""
        return time.monotonic() - self._began if self._made_s is None else self._made_s

    def put(self, samples: np.ndarray) -> bool:
        """Hand over int16 [n]; false: it was cancelled, make no more."""
        with self._changed:
            if len(samples) and not self._cancelled:
                self._chunks.append(samples)
                self._changed.notify_all()
            return not self._cancelled

    def finish(self, error: Exception | None = None) -> None:
        """Nothing follows; `error` is raised to the taker after what was put before it."""
        with self._changed:
            if not self._finished:
                self._finished = True
                self._error = error
                self._made_s = time.monotonic() - self._began
                self._changed.notify_all()

    def on_cancel(self, call: Callable[[], None]) -> None:
        """Call when it is cancelled, on the thread that cancels; at once if it has been."""
        with self._changed:
            if not self._cancelled:
                self._on_cancel.append(call)
                return
        call()

    def cancel(self) -> None:
        """End the iteration at once and drop what was not taken; any thread, any time."""
        with self._changed:
            if self._cancelled:
                return
            self._cancelled = True
            self._chunks.clear()
            calls, self._on_cancel = self._on_cancel, []
            self._changed.notify_all()
        for call in calls:
            call()

    def __next__(self) -> np.ndarray:
        with self._changed:
            while not (self._chunks or self._finished or self._cancelled):
                self._changed.wait()
            if self._chunks:
                return self._chunks.popleft()
            error, self._error = self._error, None
        if error is not None and not self._cancelled:
            raise error
        raise StopIteration
