"""Sources of speech: a file, or another program's samples (a device: device_source.py)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
import soxr

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.sound.audio_file import (
    GRAPH_RATE,
    check_audio_file,
    pcm_from_float,
    stream_audio_file,
)
from avatar_nodes.sound.pace_keeper import PaceKeeper
from avatar_nodes.sound.ring_buffer import RingBuffer

_LIVE_BUFFER_S = 10
_REWIND_S = 10


class SourceError(ConfigurationError):
    """A sound source that cannot be used; one line with the reason and what to do."""


class AudioSource(Protocol):
    """A stream of int16 mono samples, addressed by index, at one sample rate."""

    live: bool
    """True: it runs in its own time and keeps only the last seconds; false: it can seek and
    wait."""

    def align(self, next_sample: int) -> None:
        """The reader wants `next_sample` first: a live source counts from there, another seeks."""
        ...

    def read(self, next_sample: int, count: int) -> np.ndarray:
        """At most `count` samples from `next_sample` on, int16; empty: none is there (yet)."""
        ...

    def first_held(self) -> int:
        """Index of the oldest sample that can still be read."""
        ...

    @property
    def end(self) -> int:
        """Index of the sample that is captured next; without meaning for a source not live."""
        ...

    def ended(self, next_sample: int) -> bool:
        """True when no sample from `next_sample` on will ever come."""
        ...

    def close(self) -> None:
        """Release the device or file."""
        ...


class FileSource:
    """A sound file, read as it is needed.

    Reading goes forward through a window of some seconds; a reader that wants what lies before the
    window (a restarted one) makes the file be decoded from its start again, which gives the same
    samples.

    Raises:
        AudioFileError: at construction when the file is damaged anywhere (it is decoded once to
            know).
    """

    live = False

    def __init__(self, path: str | Path, *, sample_rate: int = GRAPH_RATE) -> None:
        self._path = Path(path)
        self._rate = sample_rate
        self.info = check_audio_file(self._path)
        self._blocks: Iterator[np.ndarray] = iter(())
        self._rewind()

    def align(self, next_sample: int) -> None:
        """Nothing to do: `read` seeks."""

    def read(self, next_sample: int, count: int) -> np.ndarray:
        """At most `count` samples from `next_sample` on, int16; empty at the end of the file."""
        if next_sample < self._start:
            self._rewind()
        while self._start + len(self._decoded) < next_sample + count and self._fetch(next_sample):
            pass
        offset = next_sample - self._start
        return self._decoded[offset : offset + count].copy()

    def first_held(self) -> int:
        """Every sample of a file can be read: 0."""
        return 0

    @property
    def end(self) -> int:
        """Index after the last sample decoded so far."""
        return self._start + len(self._decoded)

    def ended(self, next_sample: int) -> bool:
        """True when `next_sample` is the file's length or more."""
        return len(self.read(next_sample, 1)) == 0

    def close(self) -> None:
        """Let go of the open file."""
        self._blocks = iter(())

    def _rewind(self) -> None:
        self._blocks = stream_audio_file(self._path, sample_rate=self._rate)
        self._start = 0
        self._decoded = np.zeros(0, np.int16)

    def _fetch(self, next_sample: int) -> bool:
        """Decode one more block; forget what lies far before `next_sample`. False: the file is
        over."""
        block = next(self._blocks, None)
        if block is None:
            return False
        forget = max(0, min(next_sample - _REWIND_S * self._rate - self._start, len(self._decoded)))
        self._decoded = np.concatenate([self._decoded[forget:], block])
        self._start += forget
        return True


class BufferSource:
    """Live sound that another program hands over (`push`), of any rate and channel count; kept in
    step with its reader (`PaceKeeper`)."""

    live = True

    def __init__(self, *, sample_rate: int = GRAPH_RATE, seconds: float = _LIVE_BUFFER_S) -> None:
        self._rate = sample_rate
        self._ring = RingBuffer(round(seconds * sample_rate))
        self._resampler: soxr.ResampleStream | None = None
        self._format = (sample_rate, 1)
        self._over = False
        self._pace = PaceKeeper(sample_rate=sample_rate)
        self._read_to = 0

    def align(self, next_sample: int) -> None:
        """The next sample pushed bears the index `next_sample`."""
        self._ring.align(next_sample)
        self._read_to = next_sample

    def push(self, samples: np.ndarray, *, sample_rate: int, channels: int) -> None:
        """Append interleaved int16 samples [n * channels].

        Raises:
            ValueError: rate or channels out of range, or a length that is no multiple of
                `channels`.
        """
        if not 0 < sample_rate <= 768_000 or not 0 < channels <= 64:
            raise ValueError(f"sound of {sample_rate} Hz and {channels} channels")
        if len(samples) % channels:
            raise ValueError(f"{len(samples)} samples are no multiple of {channels} channels")
        mono = np.asarray(samples, np.int16)
        if channels > 1:
            mono = np.rint(mono.reshape(-1, channels).mean(axis=1)).astype(np.int16)
        if self._format != (sample_rate, channels):
            self._format = (sample_rate, channels)
            self._resampler = None
        if sample_rate != self._rate:
            if self._resampler is None:
                self._resampler = soxr.ResampleStream(sample_rate, self._rate, 1, dtype="float32")
            mono = pcm_from_float(self._resampler.resample_chunk(mono.astype(np.float32) / 32768.0))
        self._over = False
        self._ring.write(self._pace.process(mono, waiting=max(0, self._ring.end - self._read_to)))

    def finish(self) -> None:
        """The other program says that nothing follows (it may begin anew with `push`)."""
        self._over = True

    def read(self, next_sample: int, count: int) -> np.ndarray:
        """At most `count` samples from `next_sample` on, int16; empty: not there (yet or any
        more)."""
        found = self._ring.read(next_sample, count)
        self._read_to = next_sample + len(found)
        return found

    @property
    def hurrying(self) -> bool:
        """What is pushed is hurried, since its clock is faster than that of the reader."""
        return self._pace.hurrying

    def first_held(self) -> int:
        """Index of the oldest sample in the buffer."""
        return self._ring.start

    @property
    def end(self) -> int:
        """Index that the next sample pushed will bear."""
        return self._ring.end

    def ended(self, next_sample: int) -> bool:
        """True once `finish` was called and all that was pushed has been read."""
        return self._over and next_sample >= self._ring.end

    def close(self) -> None:
        """Nothing to release."""
