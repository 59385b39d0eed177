"""WAV and raw PCM decoded while their bytes still arrive, which no decoder at hand does: they read
ahead, or want a length in the header that a server does not know yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from avatar_nodes.sound.audio_file import pcm_from_float, wav_length_told

ReadBytes = Callable[[], bytes]
"""Waits for the next bytes of a stream; empty: it is over."""

_HIGHEST_RATE = 768_000
_HEADER_AT_MOST = 1 << 16
_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


class WavError(ValueError):
    """Bytes that are no sound; one line."""


@dataclass(frozen=True)
class PcmFormat:
    """How samples lie in a stream of bytes (little endian, interleaved)."""

    sample_rate: int
    channels: int = 1
    is_float: bool = False
    """True: float32 in -1..1; false: int16."""

    def samples(self, data: bytes) -> np.ndarray:
        """int16 mono [n] of `data`, a whole number of frames; channels are averaged."""
        values = np.frombuffer(data, "<f4" if self.is_float else "<i2")
        if self.is_float:
            values = pcm_from_float(np.nan_to_num(values))
        if self.channels > 1:
            mean = values.reshape(-1, self.channels).mean(axis=1, dtype=np.float32)
            values = np.rint(mean).astype(np.int16)
        return values.astype(np.int16)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * (4 if self.is_float else 2)


def stream_pcm(read: ReadBytes, layout: PcmFormat) -> Iterator[np.ndarray]:
    """Yield int16 mono samples [n > 0] as bytes come; a cut frame at the end is dropped."""
    rest = b""
    while more := read():
        rest += more
        whole = len(rest) - len(rest) % layout.frame_bytes
        if whole:
            yield layout.samples(rest[:whole])
            rest = rest[whole:]


def stream_wav(read: ReadBytes) -> Iterator[tuple[np.ndarray, int]]:
    """Yield int16 mono samples [n > 0] and their rate as the bytes of a WAV stream come.

    Raises:
        WavError: not a WAV stream, neither 16-bit integers nor 32-bit floats, or over before the
            length that its header gives (streams often give none).
    """
    head = _Head(read)
    layout, size = _read_header(head)
    body = _Body(head.rest, read, size if wav_length_told(size) else None)
    for samples in stream_pcm(body.read, layout):
        yield samples, layout.sample_rate
    if body.missing:
        raise WavError(f"a WAV stream that ends {body.missing} bytes early")


def _read_header(head: _Head) -> tuple[PcmFormat, int]:
    """Read up to the sound; its format, and its length in bytes as the header has it."""
    magic = head.take(12)
    if magic[:4] not in (b"RIFF", b"RF64") or magic[8:] != b"WAVE":
        raise WavError(f"no WAV sound, but {magic!r}")
    layout: PcmFormat | None = None
    while True:
        chunk = head.take(8)
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            if layout is None:
                raise WavError("a WAV stream without a format before its sound")
            return layout, size
        fields = head.take(size + size % 2)
        if chunk[:4] == b"fmt ":
            layout = _format(fields)


def _format(fields: bytes) -> PcmFormat:
    if len(fields) < 16:
        raise WavError("a WAV stream whose format is cut")
    kind, channels, rate = (
        int.from_bytes(fields[at : at + size], "little") for at, size in ((0, 2), (2, 2), (4, 4))
    )
    bits = int.from_bytes(fields[14:16], "little")
    if kind == _EXTENSIBLE and len(fields) >= 26:
        kind = int.from_bytes(fields[24:26], "little")
    if (kind, bits) not in ((_INTEGER, 16), (_FLOAT, 32)):
        raise WavError(f"a WAV stream of format {kind} with {bits} bits, expected 16-bit PCM")
    if not 0 < rate <= _HIGHEST_RATE or not 0 < channels <= 64:
        raise WavError(f"a WAV stream of {rate} Hz and {channels} channels")
    return PcmFormat(rate, channels, is_float=kind == _FLOAT)


class _Head:
    """The beginning of a stream, taken piece by piece."""

    def __init__(self, read: ReadBytes) -> None:
        self._read = read
        self._taken = 0
        self.rest = b""

    def take(self, count: int) -> bytes:
        self._taken += count
        if self._taken > _HEADER_AT_MOST:
            raise WavError("a WAV stream without sound in its first bytes")
        while len(self.rest) < count:
            more = self._read()
            if not more:
                raise WavError("a WAV stream that ends in its header" if self.rest else "no sound")
            self.rest += more
        piece, self.rest = self.rest[:count], self.rest[count:]
        return piece


class _Body:
    """The sound of a stream: as much as its header announces, or all that comes."""

    def __init__(self, first: bytes, read: ReadBytes, size: int | None) -> None:
        self._first = first
        self._read = read
        self._left = size

    @property
    def missing(self) -> int:
        """Bytes announced and not read."""
        return self._left or 0

    def read(self) -> bytes:
        if self._left == 0:
            return b""
        data, self._first = self._first or self._read(), b""
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        return data
