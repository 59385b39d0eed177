"""Hands out a whole sound piece by piece, as a voice would."""

from __future__ import annotations

import numpy as np
import soxr

from avatar_nodes.sound.audio_file import pcm_from_float


class OwnSpeech:
    """A stream from interleaved int16 samples [n * channels] at `sample_rate`, converted a second
    at a time: in floating point, all of it would take many times the memory.

    stream: its id. graph_rate: samples a second of what is handed out.
    """

    def __init__(
        self, samples: np.ndarray, *, stream: str, sample_rate: int, channels: int, graph_rate: int
    ) -> None:
        frames = samples.reshape(-1, channels)
        converter = None
        if sample_rate != graph_rate:
            converter = soxr.ResampleStream(sample_rate, graph_rate, 1)
        parts = [np.zeros(0, np.int16)]
        for first in range(0, len(frames), sample_rate):
            piece = frames[first : first + sample_rate]
            mono = piece.astype(np.float32).mean(axis=1) / 32768.0
            if converter is not None:
                last = first + sample_rate >= len(frames)
                mono = converter.resample_chunk(mono, last=last)
            parts.append(pcm_from_float(mono))
        self._samples = np.concatenate(parts)
        self.stream = stream

    def piece(self, first: int, room: int) -> tuple[np.ndarray, bool]:
        """At most `room` samples from `first` on, int16; true: they are the last."""
        last = min(len(self._samples), first + room)
        return self._samples[first:last], last == len(self._samples)
