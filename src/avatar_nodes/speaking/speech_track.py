"""The sound of one reply: written at its end as it is synthesised, read anywhere."""

from __future__ import annotations

import threading

import numpy as np

_FIRST_CAPACITY = 1 << 16


class SpeechTrack:
    """An `AudioSource` that grows. It keeps all its samples, so that a consumer that was restarted
    can go back; written by one thread, read by another."""

    live = False

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._samples = np.zeros(_FIRST_CAPACITY, np.int16)
        self._end = 0
        self._over = False

    def append(self, samples: np.ndarray) -> None:
        """Add int16 [n] at the end.

        Raises:
            ValueError: after `finish`.
        """
        with self._lock:
            if self._over:
                raise ValueError("samples after the end of the speech")
            end = self._end + len(samples)
            if end > len(self._samples):
                grown = np.zeros(max(end, 2 * len(self._samples)), np.int16)
                grown[: self._end] = self._samples[: self._end]
                self._samples = grown
            self._samples[self._end : end] = samples
            self._end = end

    def finish(self) -> None:
        """No sample follows."""
        with self._lock:
            self._over = True

    @property
    def finished(self) -> bool:
        """True after `finish`."""
        return self._over

    def align(self, next_sample: int) -> None:
        """Nothing to do: `read` seeks."""

    def read(self, next_sample: int, count: int) -> np.ndarray:
        """At most `count` samples from `next_sample` on, int16; empty: not there (yet)."""
        with self._lock:
            return self._samples[next_sample : min(next_sample + count, self._end)].copy()

    def first_held(self) -> int:
        """Every sample is kept: 0."""
        return 0

    @property
    def end(self) -> int:
        """Samples written so far."""
        return self._end

    def ended(self, next_sample: int) -> bool:
        """True when no sample from `next_sample` on will ever come."""
        with self._lock:
            return self._over and next_sample >= self._end

    def close(self) -> None:
        """Nothing to release."""
