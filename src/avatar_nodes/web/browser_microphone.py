"""Passes the sound of one browser's microphone on to the avatar."""

from __future__ import annotations

import asyncio
import itertools
import time

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

from avatar_nodes.web.desk import Desk

RATE = 16_000
_PATIENCE_S = 0.5
_AHEAD_S = 2.0


class BrowserMicrophone:
    """Counts the samples of one session and says when nothing follows, so that a visitor who leaves
    in the middle of a word is not waited for. Sound that comes faster than it can have been spoken
    is dropped.

    open: whether this session is heard at all; asked at every packet.
    """

    def __init__(self, desk: Desk, session: str) -> None:
        self._desk = desk
        self._session = session
        self._runs = itertools.count()
        self._stream = ""
        self._next_sample = 0
        self._begun = 0.0
        self.open = True
        self.dropped = 0
        """Samples that came too fast."""

    def push(self, samples: np.ndarray) -> None:
        """Int16 mono samples [n] at 16 kHz."""
        if not self.open:
            self.pause()
            return
        if not len(samples):
            return
        if not self._stream:
            self._stream, self._next_sample = f"{self._session}-{next(self._runs)}", 0
            self._begun = time.monotonic()
        spoken_s = time.monotonic() - self._begun + _AHEAD_S
        if self._next_sample + len(samples) > spoken_s * RATE:
            self.dropped += len(samples)
            return
        self._desk.hear(samples, stream=self._stream, first_sample=self._next_sample)
        self._next_sample += len(samples)

    def pause(self) -> None:
        """Nothing follows for now."""
        if self._stream:
            self._desk.hear(
                np.zeros(0, np.int16), stream=self._stream, first_sample=self._next_sample,
                end_of_stream=True,
            )  # fmt: skip
            self._stream = ""

    async def follow(self, track: MediaStreamTrack) -> None:
        """Take what a WebRTC track brings, until it ends."""
        resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
        try:
            while True:
                try:
                    frame = await asyncio.wait_for(track.recv(), _PATIENCE_S)
                except asyncio.TimeoutError:
                    self.pause()
                    continue
                if isinstance(frame, AudioFrame):
                    for piece in resampler.resample(frame):
                        self.push(piece.to_ndarray()[0])
        except MediaStreamError:
            pass
        finally:
            self.pause()
