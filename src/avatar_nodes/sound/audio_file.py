"""Sound files of any kind, rate and channel count, read as 16 kHz mono in blocks.

libsndfile (soundfile) decodes WAV, FLAC, OGG Vorbis/Opus and MP3, FFmpeg (PyAV) the rest, soxr
resamples as the file is read, so a file of hours needs the memory of one block. A file that is
damaged is refused with one line rather than mended: a sample that is not finite, or sound that ends
before the header says, would be heard and seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile
import soxr

from avatar_nodes.errors.configuration_error import ConfigurationError

GRAPH_RATE = 16_000
"""Sample rate of all sound inside the graph [Hz]."""

_READ_FRAMES = 1 << 15
_HIGHEST_RATE = 768_000
_CANCELLED = 0.01
"""Of the loudest channel's power; one channel of eight alone leaves 1/64 of its power."""
_LENGTHS_UNTOLD = 0x7FFF0000
_NOT_LIBSNDFILES = (1, 4)
"""Errors of libsndfile: the format, or its encoding, is not one of its own."""
_OGG_LAST_PAGE = 0x04
# RF64 and streamed WAV put this many bytes or fewer before their data chunk in practice.
_RIFF_CHUNKS_AT_MOST = 1_000


class AudioFileError(ConfigurationError):
    """A sound file that cannot be used; one line that names the file and the reason."""


@dataclass(frozen=True)
class AudioFileInfo:
    """What a sound file holds, once it has been read to its end."""

    sample_rate: int
    """Of the file [Hz]."""
    channels: int
    frames: int
    """Samples per channel at the file's own rate."""

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def pcm_from_float(samples: np.ndarray) -> np.ndarray:
    """float [-1, 1) -> int16 with full scale 32768, clipped; exact for sound that was 16 bit."""
    scaled = np.rint(np.asarray(samples, dtype=np.float32) * np.float32(32768.0))
    return np.clip(scaled, -32768, 32767).astype(np.int16)


def float_from_pcm(samples: np.ndarray) -> np.ndarray:
    """int16 -> float32 in [-1, 1), full scale 32768: what the audio features take."""
    return np.asarray(samples, dtype=np.int16).astype(np.float32) * np.float32(1.0 / 32768.0)


def mono_of(channels: np.ndarray) -> np.ndarray:
    """float32 [n, channels] -> float32 [n]: their mean, or the loudest of them where they cancel
    each other, as the two wires of a balanced line do."""
    mono = channels.mean(axis=1, dtype=np.float32)
    if not len(mono):
        return mono
    powers = np.square(channels, dtype=np.float32).mean(axis=0)
    if np.square(mono).mean() < _CANCELLED * powers.max(initial=0.0):
        mono = channels[:, int(np.argmax(powers))]
    return np.ascontiguousarray(mono, dtype=np.float32)


def wav_length_told(length: int) -> bool:
    """Whether the length of a WAV file's data [bytes] is one. Programs that write to a pipe put 0,
    or about the largest signed or unsigned number there: the sound lasts to the end of the file."""
    return 0 < length < _LENGTHS_UNTOLD


def check_audio_file(path: str | Path) -> AudioFileInfo:
    """Decode the whole file once, so that what is wrong with it shows before the first sample is
    used.

    Raises:
        AudioFileError: not readable, not sound, empty, truncated, or not finite somewhere.
    """
    frames = 0
    with _open(Path(path)) as sound:
        for block in _mono_blocks(sound, Path(path)):
            frames += len(block)
        return AudioFileInfo(sound.sample_rate, sound.channels, frames)


def read_audio_file(path: str | Path, *, sample_rate: int = GRAPH_RATE) -> np.ndarray:
    """The whole file as int16 mono [samples].

    Raises:
        AudioFileError: see `check_audio_file`.
    """
    blocks = list(stream_audio_file(path, sample_rate=sample_rate))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)


def stream_audio_file(path: str | Path, *, sample_rate: int = GRAPH_RATE) -> Iterator[np.ndarray]:
    """Yield the file from its start as int16 mono blocks [n] at `sample_rate`; channels are
    averaged where they do not cancel each other.

    The same file always gives the same samples, so a reader may begin anew and skip to where it
    was.

    Raises:
        AudioFileError: see `check_audio_file`; damage is raised where it is met.
    """
    path = Path(path)
    with _open(path) as sound:
        if sound.sample_rate == sample_rate:
            yield from (pcm_from_float(block) for block in _mono_blocks(sound, path))
            return
        resampler = soxr.ResampleStream(sound.sample_rate, sample_rate, 1, dtype="float32")
        for block in _mono_blocks(sound, path):
            yield pcm_from_float(resampler.resample_chunk(block))
        yield pcm_from_float(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def _open(path: Path) -> AbstractContextManager[_Sound]:
    """Open and check what the header alone can tell. What libsndfile does not know is FFmpeg's."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise AudioFileError(f"{path}: not a file")
        with path.open("rb") as raw:
            head = raw.read(12)
        if size == 0:
            raise AudioFileError(f"{path}: the file is empty")
        piped = False
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            piped = not _wav_length_told(path, size)
        if head[:4] == b"OggS":
            _check_ogg(path, size)
        sound = _container(path) if piped else _decoder(path)
    except ValueError as error:
        raise AudioFileError(f"{path}: {error}") from error
    except OSError as error:
        raise AudioFileError(f"{path}: {error.strerror or error}") from error
    if not 0 < sound.sample_rate <= _HIGHEST_RATE:
        sound.close()
        raise AudioFileError(f"{path}: impossible sample rate {sound.sample_rate} Hz")
    return closing(sound)


def _decoder(path: Path) -> _Sound:
    """Raises ValueError: no sound that can be read."""
    try:
        return _LibsndfileSound(path)
    except soundfile.LibsndfileError as error:
        if error.code not in _NOT_LIBSNDFILES:
            reason = str(error.error_string).strip().rstrip(".")
            raise ValueError(f"no sound that can be read: {reason}") from error
    return _container(path)


def _container(path: Path) -> _Sound:
    """Raises ValueError: no sound that can be read."""
    from avatar_nodes.sound.container_sound import ContainerSound  # FFmpeg takes 20 MB

    return ContainerSound(path)


class _Sound(Protocol):
    """A file that is being decoded."""

    sample_rate: int
    channels: int

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield float32 [n, channels]. Raises ValueError: damaged."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


class _LibsndfileSound:
    """Raises LibsndfileError: none of its formats."""

    def __init__(self, path: Path) -> None:
        self._file = soundfile.SoundFile(path)
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels

    def blocks(self) -> Iterator[np.ndarray]:
        """See `_Sound.blocks`; what was read is counted against what the header announced."""
        announced = self._file.frames if self._file.format != "MP3" else 0  # MP3's only estimate
        position = 0
        while True:
            try:
                block = self._file.read(_READ_FRAMES, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                raise ValueError(f"damaged at {position / self.sample_rate:.2f} s") from error
            if len(block) == 0:
                break
            position += len(block)
            yield block
        if position < announced:
            raise ValueError(f"truncated: {position} of {announced} samples are there")

    def close(self) -> None:
        self._file.close()


def _mono_blocks(sound: _Sound, path: Path) -> Iterator[np.ndarray]:
    """Yield float32 mono blocks at the file's rate. Raises AudioFileError."""
    position = 0
    try:
        for block in sound.blocks():
            finite = np.isfinite(block).all(axis=1)
            if not finite.all():
                first = position + int(np.argmin(finite))
                at_s = first / sound.sample_rate
                raise ValueError(f"sample {first} (at {at_s:.2f} s) is NaN or infinite")
            position += len(block)
            yield mono_of(block)
        if position == 0:
            raise ValueError("the file holds no sound")
    except ValueError as error:
        raise AudioFileError(f"{path}: {error}") from error


def _wav_length_told(path: Path, size: int) -> bool:
    """Whether the header says how long the sound is; if not, libsndfile may read none of it.

    Raises AudioFileError: libsndfile would play it silently short, or at a rate it made up.
    """
    with path.open("rb") as raw:
        raw.seek(12)
        for _ in range(_RIFF_CHUNKS_AT_MOST):
            header = raw.read(8)
            if len(header) < 8:
                raise AudioFileError(f"{path}: truncated: the WAV file has no sound data")
            name, length = header[:4], int.from_bytes(header[4:], "little")
            start = raw.tell()
            if name == b"fmt ":
                fields = raw.read(16)
                if len(fields) < 16:
                    raise AudioFileError(f"{path}: truncated inside its format header")
                _check_wav_format(path, fields)
            if name == b"data":
                if length == 0 and start == size:
                    raise AudioFileError(f"{path}: the file holds no sound")
                if wav_length_told(length) and start + length > size:
                    raise AudioFileError(
                        f"{path}: truncated: {size - start} of {length} bytes of sound are there"
                    )
                return wav_length_told(length)
            raw.seek(start + length + length % 2)
    raise AudioFileError(f"{path}: not a usable WAV file: no sound data among its chunks")


def _check_wav_format(path: Path, fields: bytes) -> None:
    channels = int.from_bytes(fields[2:4], "little")
    rate = int.from_bytes(fields[4:8], "little")
    if channels == 0:
        raise AudioFileError(f"{path}: impossible number of channels 0")
    if not 0 < rate <= _HIGHEST_RATE:
        raise AudioFileError(f"{path}: impossible sample rate {rate} Hz")


def _check_ogg(path: Path, size: int) -> None:
    """The last page of a whole OGG file says that it is the last."""
    with path.open("rb") as raw:
        raw.seek(max(0, size - (1 << 17)))
        tail = raw.read()
    last = tail.rfind(b"OggS")
    if last < 0 or last + 6 > len(tail) or not tail[last + 5] & _OGG_LAST_PAGE:
        raise AudioFileError(f"{path}: truncated: the OGG stream has no end")
