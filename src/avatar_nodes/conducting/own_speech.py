"""Sound that was handed over whole, to be spoken as if a voice had made it."""

from __future__ import annotations

import numpy as np
import soxr

from avatar_nodes.sound.audio_file import pcm_from_float
from avatar_nodes.speaking.turn_stream import new_stream

_OWN_TURN = 0


class OwnSpeech:
    """A stream of turn 0 from interleaved int16 samples [n * channels] at `sample_rate`."""

    def __init__(
        self, samples: np.ndarray, *, sample_rate: int, channels: int, graph_rate: int
    ) -> None:
        mono = samples.reshape(-1, channels).astype(np.float32).mean(axis=1) / 32768.0
        if sample_rate != graph_rate:
            mono = soxr.resample(mono, sample_rate, graph_rate)
        self._samples = pcm_from_float(mono)
        self.stream = new_stream(_OWN_TURN)

    def __len__(self) -> int:
        """Samples at the graph's rate."""
        return len(self._samples)

    def piece(self, first: int, room: int) -> tuple[np.ndarray, bool]:
        """At most `room` samples from `first` on, int16; true: they are the last."""
        last = min(len(self._samples), first + room)
        return self._samples[first:last], last == len(self._samples)
