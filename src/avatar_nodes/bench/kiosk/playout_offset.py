"""Measures sound against picture, from the newest frames that a browser has shown and played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

VIDEO_RATE, AUDIO_RATE = 90_000, 48_000
_WRAP = 2**32
_SETTLED_MS = 20_000.0
"""Time a browser takes to bring the two together after it has connected."""


@dataclass(frozen=True)
class Playout:
    """The newest frames at one moment: RTP stamps, and the times at which the browser handed them
    out [ms]."""

    estimate_ms: float | None
    """Sound after picture by the clocks of the sender reports; None: the browser does not say."""
    video_rtp: int
    video_ms: float
    audio_rtp: int
    audio_ms: float

    @classmethod
    def from_page(cls, sample: Mapping[str, float | None]) -> Playout:
        """From an entry of the page's list."""
        estimate = sample["estimate"]
        return cls(
            None if estimate is None else float(estimate),
            video_rtp=int(sample["video_rtp"] or 0),
            video_ms=float(sample["video_ms"] or 0),
            audio_rtp=int(sample["audio_rtp"] or 0),
            audio_ms=float(sample["audio_ms"] or 0),
        )


@dataclass
class PlayoutOffset:
    """One connection's sound against picture. The stamps of the two streams begin anywhere, so they
    tell exactly how far the offset has moved, the sender reports roughly how large it is.
    """

    _origin: Playout | None = field(default=None, init=False)
    _base_ms: float | None = field(default=None, init=False)

    def estimate_ms(self, samples: Sequence[Playout]) -> float | None:
        """Median of what the browser estimates; one value of it may be a frame or two off."""
        found = [sample.estimate_ms for sample in samples if sample.estimate_ms is not None]
        return float(np.median(found)) if found else None

    def moved_ms(self, samples: Sequence[Playout]) -> float | None:
        """Delay of the sound against the picture, beyond that of the settled browser, 20 s after
        the first sample; medians. None: it has not settled yet, or there are no samples."""
        if samples and self._origin is None:
            self._origin = samples[0]
        origin = self._origin
        if origin is None:
            return None
        settled = [s for s in samples if s.audio_ms - origin.audio_ms >= _SETTLED_MS]
        if not settled:
            return None
        median = float(np.median([self._late_ms(sample, origin) for sample in settled]))
        if self._base_ms is None:
            self._base_ms = median
        return median - self._base_ms

    def _late_ms(self, sample: Playout, origin: Playout) -> float:
        video = _since(sample.video_rtp, origin.video_rtp) * 1000 / VIDEO_RATE - sample.video_ms
        audio = _since(sample.audio_rtp, origin.audio_rtp) * 1000 / AUDIO_RATE - sample.audio_ms
        return video - audio


def _since(stamp: int, origin: int) -> int:
    """Ticks from one RTP stamp to another, of less than half a turn either way."""
    return (stamp - origin + _WRAP // 2) % _WRAP - _WRAP // 2
