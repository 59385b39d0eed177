"""How loud a stream's speech is: one level that goes along, whatever silence is around it."""

from __future__ import annotations

from typing import Literal

import numpy as np

Loudness = Literal["window", "speech"]
"""By what sound is made as loud as the audio model expects: each window by its own, or all by the
level of the speech so far."""
ContextColumns = Literal["heard", "repeated"]
"""The columns beside a block's own: what is heard there, or its first and last once more."""

_PRIOR_LEVEL, _PRIOR_FRAMES = 0.06, 3
"""A syllable of ordinary speech at -24 dB of full scale, until there is some."""
_MEMORY_FRAMES = 750
"""30 s of speech: the level follows another speaker within that."""
_SILENCE = 1e-5
"""Energy of a frame that is silence: 50 dB under full scale."""
_PAUSE = 0.01
"""Share of the speech's energy below which a frame is a pause, 20 dB under it."""
_PAUSE_WEIGHT = 1 / 8
"""What a pause counts: were it nothing, a far quieter speaker would never be heard."""


class SpeechLevel:
    """Root mean square of the speech in a stream so far, full scale 1.

    Silence leaves it as it is. A window of sound that is divided by its own deviation instead is
    lifted the more, the more silence is in it.
    """

    def __init__(self, frame_samples: int) -> None:
        self._frame = frame_samples
        self.reset()

    @property
    def value(self) -> float:
        """Above 0."""
        return float(self._energy**0.5)

    def reset(self) -> None:
        """Begins a stream."""
        self._energy, self._weight = _PRIOR_LEVEL**2, float(_PRIOR_FRAMES)

    def hear(self, samples: np.ndarray) -> None:
        """The next samples, int16 [n]; a part of a frame at the end is not counted."""
        frames = samples[: len(samples) // self._frame * self._frame].reshape(-1, self._frame)
        for energy in np.square(frames / 32768.0).mean(axis=1):
            if energy > _SILENCE:
                self._count(float(energy))

    def _count(self, energy: float) -> None:
        weight = 1.0 if energy > _PAUSE * self._energy else _PAUSE_WEIGHT
        self._energy += (energy - self._energy) * weight / (self._weight + weight)
        self._weight = min(_MEMORY_FRAMES, self._weight + weight)
