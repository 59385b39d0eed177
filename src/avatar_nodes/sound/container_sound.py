"""The sound of whatever FFmpeg reads, through PyAV: voice memos (M4A, AMR), what a browser records
(WebM, fragmented MP4), AAC, WMA, and video files with sound."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

_TRUE_LENGTHS = ("mov", "matroska")
"""Containers whose header has the length; others estimate it of the bit rate."""
_SLACK_S = 0.5
"""By so much a whole file may be shorter than its header has it: padding, and the picture's end."""


class ContainerError(ValueError):
    """No sound that can be read, or damaged; one line that does not name the file."""


class ContainerSound:
    """One file's sound: the stream that FFmpeg takes for the best.

    Raises:
        ContainerError: there is none. OSError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        try:
            # A playlist would have other files and addresses opened: no protocol is allowed.
            options = {"protocol_whitelist": ""}
            self._container = av.open(self._file, "r", options=options, metadata_errors="replace")
            stream = self._container.streams.best("audio")
            if stream is None:
                raise ContainerError("no sound that can be read: there is none in it")
            assert isinstance(stream, av.AudioStream)
            self._frames = self._container.decode(stream)
            self._first = next(self._frames)
        except (av.FFmpegError, StopIteration):
            self.close()
            raise ContainerError(
                "no sound that can be read: damaged, or of a kind that FFmpeg does not know"
            ) from None
        except ContainerError:
            self.close()
            raise
        self.sample_rate = self._first.sample_rate
        self.channels = len(self._first.layout.channels)
        self._announced = round(self._announced_s(stream) * self.sample_rate)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield float32 [n, channels] from the first sample to the last, once.

        Raises:
            ContainerError: it is damaged, or ends before its header says.
        """
        as_first = av.AudioResampler("fltp", self._first.layout, self.sample_rate)
        position = 0
        try:
            for frame in itertools.chain([self._first], self._frames, [None]):
                for part in as_first.resample(frame):
                    position += part.samples
                    yield part.to_ndarray().T
        except (av.FFmpegError, ValueError):  # the latter: another rate or layout from here on
            raise ContainerError(f"damaged at {position / self.sample_rate:.2f} s") from None
        if position < self._announced - _SLACK_S * self.sample_rate:
            raise ContainerError(f"truncated: {position} of {self._announced} samples are there")

    def close(self) -> None:
        """Close the file."""
        if container := getattr(self, "_container", None):
            container.close()
        self._file.close()

    def _announced_s(self, stream: av.AudioStream) -> float:
        """The length that the header has [s]; 0: it has none, or that of a picture."""
        if not self._container.format.name.startswith(_TRUE_LENGTHS):
            return 0.0
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        with_picture = bool(self._container.streams.video)
        return 0.0 if with_picture else (self._container.duration or 0) / av.time_base
