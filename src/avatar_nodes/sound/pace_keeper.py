"""Keeps live sound in step with who reads it, though the clocks of the two differ."""

from __future__ import annotations

from collections import deque

import numpy as np
import soxr

from avatar_nodes.sound.audio_file import float_from_pcm, pcm_from_float

_LATE_S = 0.08
"""So much may wait to be read when a block is about to begin: a few pieces of sound."""
_IN_STEP_S = 0.03
_PARTS = 4
_PART_S = 1.0
"""In each of the last parts, which are longer than a block, it has waited once: a reader that was
kept waiting catches up itself."""
_FASTER = 0.004
"""Share by which sound is hurried: 7 cents in pitch, which nobody hears, and far more than two
clocks differ by."""
_SLEW_S = 0.1
_WARM_S, _FADE_S = 0.05, 0.01


class PaceKeeper:
    """Passes sound on as it is until ever more of it waits to be read, because its source's clock
    is the faster one. Then hurries it by 0.4 % until it is in step again: what waits stays below
    0.1 s or so, and nothing is cut.
    """

    def __init__(self, *, sample_rate: int) -> None:
        self._rate = sample_rate
        self._most: deque[int] = deque(maxlen=_PARTS)
        self._part_taken = self._part_most = 0
        self._resampler: soxr.ResampleStream | None = None
        self._before = np.zeros(0, np.float32)
        self._owed = 0
        """Samples that the resampler still holds and that were passed on before it began."""
        self._plain = np.zeros(0, np.float32)
        self._faded_in = 0
        self.hurrying = False
        """Sound is being hurried."""

    def process(self, samples: np.ndarray, *, waiting: int) -> np.ndarray:
        """int16 [n], the next piece of the sound -> int16 [about n].

        Args:
            waiting: samples that came before it and have not been read.
        """
        self._note(len(samples), waiting)
        sound = float_from_pcm(samples)
        changed = self._hurry()
        if self._resampler is None:
            if not changed:
                self._before = np.concatenate([self._before, sound])[-round(_WARM_S * self._rate) :]
                return samples
            self._resampler = self._begun()
        if changed:
            faster = self._rate * (1.0 + _FASTER if self.hurrying else 1.0)
            self._resampler.set_io_ratio(faster, self._rate, round(_SLEW_S * self._rate))
        made = self._resampler.resample_chunk(sound)
        known, self._owed = made[: self._owed], max(0, self._owed - len(made))
        return pcm_from_float(self._faded(sound, made[len(known) :]))

    def _note(self, count: int, waiting: int) -> None:
        """Keep the most that waited in each of the last parts."""
        self._part_taken += count
        self._part_most = max(self._part_most, waiting)
        if self._part_taken >= _PART_S * self._rate:
            self._most.append(self._part_most)
            self._part_taken = self._part_most = 0

    def _hurry(self) -> bool:
        """Whether the pace changes now."""
        before, least = self.hurrying, min(self._most, default=0) / self._rate
        if self.hurrying:
            self.hurrying = self._most[-1] > _IN_STEP_S * self._rate
        else:
            self.hurrying = len(self._most) == _PARTS and least > _LATE_S
        return self.hurrying is not before

    def _faded(self, sound: np.ndarray, made: np.ndarray) -> np.ndarray:
        """At first from the sound itself into what is made of it: a resampler's own delay is no
        whole number of samples."""
        missing = round(_FADE_S * self._rate) - self._faded_in
        if missing <= 0:
            return made
        self._plain = np.concatenate([self._plain, sound])
        count = min(missing, len(made))
        plain, self._plain = self._plain[:count], self._plain[count:]
        share = (self._faded_in + np.arange(count)) / (_FADE_S * self._rate)
        self._faded_in += count
        return np.concatenate([plain + share * (made[:count] - plain), made[count:]])

    def _begun(self) -> soxr.ResampleStream:
        """A resampler that has heard what came last, so that it begins without a click."""
        most = self._rate * (1.0 + _FASTER)
        resampler = soxr.ResampleStream(most, self._rate, 1, dtype="float32", vr=True)
        resampler.set_io_ratio(self._rate, self._rate, 0)
        made = resampler.resample_chunk(self._before)
        self._owed = len(self._before) - len(made)
        return resampler
