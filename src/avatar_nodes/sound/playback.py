"""Plays stamped sound at its time, on a sound card whose clock is not ours."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

_SECOND_NS = 1_000_000_000
_LARGEST_ERROR_S = 0.08
_TOLERATED_S = 0.004
_SMOOTHING = 0.02
"""Weight of a new reading of the error: at 20 ms each, a mean over a second."""
_QUIET = 200
"""Amplitude of int16 below which samples may be dropped or repeated unheard."""
_SLOPE_S = 0.005
_CORRECTION_S = 0.002
"""Correction in one reading at most, in silence."""
_SET_BACK_NS = 5 * _SECOND_NS
"""What is stamped so long before the end of a mute bears the time of a clock that was set back
since."""


class Playback:
    """A bounded buffer between stamped chunks that come in and a sound card that asks for samples.

    A sample with the stamp t is to be heard at t + `delay_s`. The card's clock drifts from ours:
    when the mean error exceeds 4 ms it is corrected where the sound is silent, by dropping or
    inserting silence, so that speech is played as it is, sample by sample. An error above 80 ms is
    corrected at once, with slopes against clicks. One thread may `add` and `cut` while another
    reads.

    Args:
        capacity_s: sound that may wait; the oldest gives way.
    """

    def __init__(self, *, sample_rate: int, delay_s: float, capacity_s: float = 2.0) -> None:
        self._rate = sample_rate
        self._delay_ns = round(delay_s * _SECOND_NS)
        self._capacity = round(capacity_s * sample_rate)
        self._slope = max(1, round(_SLOPE_S * sample_rate))
        self._chunks: deque[tuple[int, np.ndarray]] = deque()
        self._waiting = 0
        self._muted_until_ns = 0
        self._playing = False
        self._error_s = 0.0
        self._last = 0
        self._lock = threading.Lock()
        self.underruns = 0
        """How often sound was to be heard and none was there."""
        self.jumps = 0
        """How often the error was so large that it was corrected at once."""
        self.corrected = 0
        """Samples of silence dropped or inserted."""
        self.overflowed = 0
        """Samples that gave way."""

    @property
    def waiting_s(self) -> float:
        """Sound in the buffer [s]."""
        return self._waiting / self._rate

    @property
    def error_s(self) -> float:
        """Mean of how much too early (positive) or late the sound is heard [s]."""
        return self._error_s

    def add(self, stamp_ns: int, samples: np.ndarray) -> None:
        """Take int16 samples [n], the first of which bears the stamp; stamps must grow."""
        if not len(samples):
            return
        with self._lock:
            if self._muted_until_ns - _SET_BACK_NS <= stamp_ns < self._muted_until_ns:
                samples = np.zeros_like(samples)
            else:  # over for good: a clock that is set back must not bring it back
                self._muted_until_ns = 0
            self._chunks.append((stamp_ns, samples))
            self._waiting += len(samples)
            while self._waiting > self._capacity:
                _, oldest = self._chunks.popleft()
                self._waiting -= len(oldest)
                self.overflowed += len(oldest)

    def cut(self, until_ns: int) -> None:
        """Forget what waits, at once; what is stamped before `until_ns` is not heard either."""
        with self._lock:
            self._chunks.clear()
            self._waiting = 0
            self._muted_until_ns = until_ns

    def read(self, count: int, heard_ns: int) -> np.ndarray:
        """The int16 samples [count] that will be heard from `heard_ns` on (a clock as the
        stamps')."""
        with self._lock:
            parts: list[np.ndarray] = []
            if self._chunks:
                self._keep_in_step(heard_ns, count, parts)
            missing = count - sum(len(part) for part in parts)
            if missing > 0:
                parts.append(self._take(missing))
            return self._joined(parts, count)

    def _keep_in_step(self, heard_ns: int, count: int, parts: list[np.ndarray]) -> None:
        """Compare when the next sample is due with when it would be heard."""
        error_s = (self._chunks[0][0] + self._delay_ns - heard_ns) / _SECOND_NS
        if not self._playing or abs(error_s) > _LARGEST_ERROR_S:
            if self._playing:
                self.jumps += 1
                parts.append(self._fall(count))
            self._begin(error_s, count - sum(len(part) for part in parts), parts)
            return
        self._error_s += _SMOOTHING * (error_s - self._error_s)
        if abs(self._error_s) > _TOLERATED_S and self._quiet():
            self._correct(parts)

    def _begin(self, error_s: float, count: int, parts: list[np.ndarray]) -> None:
        """Wait until the first sample is due, or drop what should have been heard already."""
        self._error_s = 0.0
        distance = round(error_s * self._rate)
        if distance >= count:
            self._playing = False
            parts.append(np.zeros(count, np.int16))
            return
        if distance > 0:
            parts.append(np.zeros(distance, np.int16))
        else:
            self._drop(-distance)
        self._playing = bool(self._chunks)
        if self._playing:
            stamp, samples = self._chunks[0]
            self._chunks[0] = (stamp, self._risen(samples))

    def _correct(self, parts: list[np.ndarray]) -> None:
        step = round(min(abs(self._error_s), _CORRECTION_S) * self._rate)
        if self._error_s > 0.0:
            parts.append(np.zeros(step, np.int16))
        else:
            self._drop(step)
        self._error_s -= np.sign(self._error_s) * step / self._rate
        self.corrected += step

    def _quiet(self) -> bool:
        """What comes next is silence, long enough for a correction."""
        samples = self._chunks[0][1][: round(2 * _CORRECTION_S * self._rate)]
        return abs(self._last) < _QUIET and int(np.abs(samples.astype(np.int32)).max()) < _QUIET

    def _take(self, count: int) -> np.ndarray:
        """The next samples; fewer than `count` where there are no more."""
        taken: list[np.ndarray] = []
        while count > 0 and self._chunks:
            stamp, samples = self._chunks.popleft()
            part, rest = samples[:count], samples[count:]
            if len(rest):
                self._chunks.appendleft((stamp + len(part) * _SECOND_NS // self._rate, rest))
            taken.append(part)
            self._waiting -= len(part)
            count -= len(part)
        return np.concatenate(taken) if taken else np.zeros(0, np.int16)

    def _drop(self, count: int) -> None:
        self._take(count)

    def _joined(self, parts: list[np.ndarray], count: int) -> np.ndarray:
        """One array; where the sound breaks off, it falls in a short slope."""
        sound = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        sound = sound[:count]
        if len(sound) < count:
            if self._playing:
                self._playing = False
                self.underruns += 1
            if len(sound):
                self._last = int(sound[-1])
            fall = self._fall(count - len(sound))
            silence = np.zeros(count - len(sound) - len(fall), np.int16)
            sound = np.concatenate([sound, fall, silence])
        self._last = int(sound[-1]) if count else self._last
        return sound

    def _fall(self, room: int) -> np.ndarray:
        """From where the sound is to silence, at most `room` samples."""
        return np.linspace(self._last, 0, min(self._slope, room)).astype(np.int16)

    def _risen(self, samples: np.ndarray) -> np.ndarray:
        """Sound that begins anew rises in a short slope."""
        risen = samples.copy()
        length = min(self._slope, len(risen))
        risen[:length] = risen[:length] * np.linspace(0.0, 1.0, length)
        return risen
