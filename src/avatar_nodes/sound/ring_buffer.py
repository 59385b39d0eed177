"""The last seconds of a live sound stream, addressed by sample index."""

from __future__ import annotations

import threading

import numpy as np


class RingBuffer:
    """Holds the newest `capacity` samples (int16 mono); written by one thread, read by another.

    `align` says which index the next captured sample bears, so that a restarted source continues
    the count of the stream it feeds.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"capacity {capacity}: expected at least 1 sample")
        self._samples = np.zeros(capacity, np.int16)
        self._end = 0
        self._held = 0
        self._lock = threading.Lock()

    @property
    def end(self) -> int:
        """Index of the sample that will be written next."""
        return self._end

    @property
    def start(self) -> int:
        """Index of the oldest sample still held."""
        with self._lock:
            return self._end - self._held

    def align(self, next_sample: int) -> None:
        """The next sample written bears the index `next_sample`; what is held is dropped."""
        with self._lock:
            self._end = next_sample
            self._held = 0

    def write(self, samples: np.ndarray) -> None:
        """Append int16 [n]; the oldest samples give way."""
        capacity = len(self._samples)
        with self._lock:
            self._end += len(samples)
            self._held = min(capacity, self._held + len(samples))
            kept = samples[-capacity:]
            first = (self._end - len(kept)) % capacity
            head = min(len(kept), capacity - first)
            self._samples[first : first + head] = kept[:head]
            self._samples[: len(kept) - head] = kept[head:]

    def read(self, first_sample: int, count: int) -> np.ndarray:
        """Up to `count` samples from `first_sample` on (a copy); empty where they are not held."""
        with self._lock:
            begin = max(first_sample, self._end - self._held)
            stop = min(first_sample + count, self._end)
            if begin != first_sample or stop <= begin:
                return np.zeros(0, np.int16)
            return self._samples[np.arange(begin, stop) % len(self._samples)]
