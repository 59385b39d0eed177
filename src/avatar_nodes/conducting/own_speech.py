"""Hands out a whole sound piece by piece, as a voice would."""

from __future__ import annotations

import numpy as np
import soxr

from avatar_nodes.sound.audio_file import pcm_from_float


class OwnSpeech:
    """A stream from interleaved int16 samples [n * channels] at `sample_rate`.

    stream: its id. graph_rate: samples a second of what is handed out.
    """

    def __init__(
        self, samples: np.ndarray, *, stream: str, sample_rate: int, channels: int, graph_rate: int
    ) -> None:
        mono = samples.reshape(-1, channels).astype(np.float32).mean(axis=1) / 32768.0
        if sample_rate != graph_rate:
            mono = soxr.resample(mono, sample_rate, graph_rate)
        self._samples = pcm_from_float(mono)
        self.stream = stream

    def piece(self, first: int, room: int) -> tuple[np.ndarray, bool]:
        """At most `room` samples from `first` on, int16; true: they are the last."""
        last = min(len(self._samples), first + room)
        return self._samples[first:last], last == len(self._samples)
