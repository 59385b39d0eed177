"""Tells whether the avatar's sound reaches the microphone at all.

With a headset, a browser that cancels echo itself, or a recording as visitor there is no echo. A
canceller that has none to learn from still expects one, and takes a visitor down who speaks while
the avatar does.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from avatar_nodes.hearing.audio_processing import FRAME
from avatar_nodes.sound.audio_file import GRAPH_RATE

_WINDOW_FRAMES = 100
"""What is looked at: the last second."""
_LOOK_FRAMES = 25
_FLOOR_FRAMES = 1000
_LATEST = GRAPH_RATE // 2
"""The longest delay of an echo that is looked for, in samples."""
_LOUD = 10.0 ** (-40.0 / 20.0) * 32768.0
_LOUD_FRAMES = 60
_ABOVE_FLOOR = 10.0 ** (4.0 / 20.0)
_QUIET_LOOKS = 4
_ALIKE = 0.25


class EchoPresence:
    """Watches captured and presented sound, 10 ms at a time.

    An echo is taken for granted until the microphone stays at its noise floor through a second and
    more of the avatar's speech, and again once what it hears is like what the avatar says.
    """

    def __init__(self) -> None:
        self._captured: deque[np.ndarray] = deque(maxlen=_WINDOW_FRAMES)
        self._reference: deque[np.ndarray] = deque(maxlen=_WINDOW_FRAMES + _LATEST // FRAME)
        self._levels: deque[float] = deque(maxlen=_FLOOR_FRAMES)
        self._loud: deque[bool] = deque(maxlen=_WINDOW_FRAMES)
        self._since_look = 0
        self._quiet_looks = 0
        self.present = True
        """There is an echo, as far as is known."""

    def update(self, captured: np.ndarray, reference: np.ndarray) -> bool:
        """Take a frame of each, int16 [FRAME]; returns `present`."""
        self._captured.append(captured)
        self._reference.append(reference)
        self._levels.append(_rms(captured))
        self._loud.append(_rms(reference) > _LOUD)
        self._since_look += 1
        if self._since_look >= _LOOK_FRAMES and len(self._captured) == _WINDOW_FRAMES:
            self._since_look = 0
            self._look()
        return self.present

    def _look(self) -> None:
        if sum(self._loud) < _LOUD_FRAMES:
            return
        floor = float(np.quantile(self._levels, 0.1)) + 1.0
        level = float(np.median(list(self._levels)[-_WINDOW_FRAMES:]))
        if level < _ABOVE_FLOOR * floor:
            self._quiet_looks += 1
            if self._quiet_looks >= _QUIET_LOOKS:
                self.present = False
            return
        self._quiet_looks = 0
        if self._likeness() > _ALIKE:
            self.present = True

    def _likeness(self) -> float:
        """The largest correlation, 0..1, of the last second captured with what was played up to
        half a second before."""
        heard = np.concatenate(self._captured).astype(np.float64)
        played = np.concatenate(self._reference).astype(np.float64)
        size = 1 << (len(heard) + len(played)).bit_length()
        spectrum = np.fft.rfft(played, size) * np.conj(np.fft.rfft(heard, size))
        shifts = len(played) - len(heard) + 1
        products = np.fft.irfft(spectrum, size)[:shifts]
        energy = np.concatenate([[0.0], np.cumsum(played**2)])
        energies = energy[len(heard) :] - energy[:shifts]
        lengths = np.sqrt(np.maximum(energies, 1.0) * max(float(heard @ heard), 1.0))
        return float(np.abs(products / lengths).max())


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float32) ** 2)))
