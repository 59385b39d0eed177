"""Makes one steady sound of the chunks that arrive: 16 kHz, mono, every sample with its time.

Chunks may be of any rate and channel count. What was had before is skipped; what is missing begins
a new run, and whoever listens starts anew with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.sound.audio_file import GRAPH_RATE, float_from_pcm, mono_of, pcm_from_float

_NANOSECONDS = 1_000_000_000
_HIGHEST_INDEX = 1 << 62
_ALIVE_NS = 500_000_000
_REPEAT_S = 1.0
_STAMP_JUMP_NS = 100_000_000
_STAMP_FOLLOW = 0.02


@dataclass(frozen=True)
class SoundChunk:
    """Sound as it arrives, rate and channels within reason."""

    stream: str
    first_sample: int
    """Index of the first sample in the stream, at the stream's rate."""
    samples: np.ndarray
    """int16 interleaved [n * channels]."""
    sample_rate: int
    channels: int
    captured_ns: int
    """When the first sample was captured; 0: just now."""
    over: bool = False
    """True: the stream ends with this chunk."""


@dataclass(frozen=True)
class SoundPiece:
    """Samples that continue those of the piece before, unless `begins`."""

    first_sample: int
    """Index at 16 kHz since the intake was made; the count goes on over runs."""
    samples: np.ndarray
    """int16 [n], 16 kHz mono; may be empty."""
    captured_ns: int
    """When the first sample was captured."""
    begins: bool
    """True: the first piece of a run; sound before it is missing or of another stream."""
    over: bool
    """True: the stream has ended with this piece."""


class SoundIntake:
    """Follows one stream at a time; another may take over when it has been silent for 0.5 s."""

    def __init__(self) -> None:
        self._stream = ""
        self._heard_ns = -_ALIVE_NS
        self._over = True
        self._format = (0, 0)
        self._next = 0
        self._count = 0
        self._run_first = 0
        self._run_source = 0
        self._run_ns = 0
        self._resampler: soxr.ResampleStream | None = None
        self.gaps = 0
        """Runs that began since sound was missing within a stream."""

    @property
    def stream(self) -> str:
        """Id of the stream that is followed."""
        return self._stream

    def push(self, chunk: SoundChunk, *, now_ns: int) -> SoundPiece | None:
        """Take a chunk; None: nothing of it was new.

        Raises:
            RefusedError: `index` (no stream gets so far), or `stream` (of another stream, while
                this one is alive).
        """
        stream, first_sample, over = chunk.stream, chunk.first_sample, chunk.over
        sample_rate, channels = chunk.sample_rate, chunk.channels
        frames = len(chunk.samples) // channels
        if first_sample + frames > _HIGHEST_INDEX:
            raise RefusedError("index", f"sample {first_sample} is beyond any stream's end")
        alive = abs(now_ns - self._heard_ns) < _ALIVE_NS  # far below 0 the clock was set back
        if stream != self._stream and not self._over and alive:
            raise RefusedError("stream", f"stream '{stream}' while '{self._stream}' goes on")
        skipped = self._next - first_sample
        fits = stream == self._stream and self._format == (sample_rate, channels)
        begins = not fits or self._over or not 0 <= skipped <= _REPEAT_S * sample_rate
        self._heard_ns, self._over = now_ns, over
        if begins:
            self.gaps += fits and skipped < 0
            skipped = 0
        elif skipped and skipped >= frames and not over:
            return None
        stamp_ns = chunk.captured_ns or now_ns - frames * _NANOSECONDS // sample_rate
        if begins:
            self._begin(stream, sample_rate, channels, first_sample, stamp_ns)
        fresh = chunk.samples[skipped * channels :]
        self._next = max(self._next, first_sample + frames)
        self._follow(first_sample, sample_rate, stamp_ns)
        return self._piece(self._mono(fresh, over), begins, over)

    def captured_ns(self, sample: int) -> int:
        """When sample `sample` of the present run was captured."""
        return self._run_ns + (sample - self._run_first) * _NANOSECONDS // GRAPH_RATE

    def sample_captured_at(self, ns: int) -> int:
        """The sample of the present run that was captured at `ns`; its first one before that."""
        since_ns = max(0, ns - self._run_ns)
        return self._run_first + since_ns * GRAPH_RATE // _NANOSECONDS

    def source_sample(self, sample: int) -> int:
        """Index in the stream, at its own rate, of sample `sample` of the present run."""
        passed = (sample - self._run_first) * self._format[0] // GRAPH_RATE
        return max(0, self._run_source + passed)

    def _begin(self, stream: str, rate: int, channels: int, first: int, stamp_ns: int) -> None:
        self._stream, self._format = stream, (rate, channels)
        self._next = self._run_source = first
        self._run_first = self._count
        self._run_ns = stamp_ns
        self._resampler = None
        if rate != GRAPH_RATE:
            self._resampler = soxr.ResampleStream(rate, GRAPH_RATE, 1, dtype="float32")

    def _follow(self, first: int, rate: int, stamp_ns: int) -> None:
        """Follow slow drift between the source's clock and its count; jump with a clock's jump."""
        expected = self._run_ns + (first - self._run_source) * _NANOSECONDS // rate
        late = stamp_ns - expected
        if abs(late) > _STAMP_JUMP_NS:
            self._run_ns += late
        else:
            self._run_ns += round(_STAMP_FOLLOW * late)

    def _mono(self, samples: np.ndarray, over: bool) -> np.ndarray:
        channels = self._format[1]
        mono = np.asarray(samples, np.int16)
        if channels > 1:
            mono = pcm_from_float(mono_of(float_from_pcm(mono).reshape(-1, channels)))
        if self._resampler is None:
            return mono
        scaled = mono.astype(np.float32) / np.float32(32768.0)
        return pcm_from_float(self._resampler.resample_chunk(scaled, last=over))

    def _piece(self, samples: np.ndarray, begins: bool, over: bool) -> SoundPiece:
        first = self._count
        self._count += len(samples)
        return SoundPiece(first, samples, self.captured_ns(first), begins, over)
