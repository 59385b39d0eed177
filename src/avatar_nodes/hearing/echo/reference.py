"""Keeps the avatar's last sound, addressed by the time at which it is heard."""

from __future__ import annotations

import numpy as np

from avatar_nodes.sound.audio_file import GRAPH_RATE

_SECONDS = 10
_JITTER_SAMPLES = round(0.02 * GRAPH_RATE)
_ALIVE_SAMPLES = GRAPH_RATE
_NANOSECONDS = 1_000_000_000


def sample_at(time_ns: int) -> int:
    """Index, at 16 kHz since 1970, of the sample that is heard at `time_ns`."""
    return time_ns * GRAPH_RATE // _NANOSECONDS


class EchoReference:
    """The last ten seconds of the presented sound, int16 mono at 16 kHz, by `sample_at` index.

    Stamps that jitter do not tear the sound: a run that begins within 20 ms of the end of the one
    before continues it.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(_SECONDS * GRAPH_RATE, np.int16)
        self._end = 0
        self._over = True

    @property
    def end(self) -> int:
        """Index after the last sample known; 0: none is."""
        return self._end

    def add(self, samples: np.ndarray, start_ns: int, *, over: bool = False) -> None:
        """Take samples heard from `start_ns` on; `over`: nothing follows for now."""
        start = sample_at(start_ns)
        if not self._end or abs(start - self._end) > len(self._samples):
            self._samples[:] = 0
            self._end = start
        elif abs(start - self._end) <= _JITTER_SAMPLES:
            start = self._end
        elif start > self._end:
            self._write(self._end, np.zeros(start - self._end, np.int16))
        kept = samples[-len(self._samples) :]
        self._end = start + len(samples)
        self._write(self._end - len(kept), kept)
        self._over = over

    def awaited(self, stop: int) -> bool:
        """True while samples before `stop` are missing, and likely to come."""
        return not self._over and self._end < stop <= self._end + _ALIVE_SAMPLES

    def read(self, first: int, count: int) -> np.ndarray:
        """int16 [count] from index `first` on; silence where nothing is known."""
        begin = max(first, self._end - len(self._samples))
        stop = min(first + count, self._end)
        heard = np.zeros(count, np.int16)
        if begin < stop:
            places = np.arange(begin, stop) % len(self._samples)
            heard[begin - first : stop - first] = self._samples[places]
        return heard

    def _write(self, first: int, samples: np.ndarray) -> None:
        places = np.arange(first, first + len(samples)) % len(self._samples)
        self._samples[places] = samples
