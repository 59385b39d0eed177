"""Measures if the mouth moves with the sound it is shown with: the picture against the loudness.

Stamps cannot tell: the presenter gives a picture and its sound one stamp, even if they do not
belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from avatar_nodes.judging.lip_sync import correlate

_LAGS = range(-12, 13)
"""Frames by which the picture may be late. The world's own videos are at 1: a mouth closes after
its sound."""
_LEAST_FRAMES = 60
"""A shorter stretch of speech says nothing."""
_PAUSE_FRAMES = 10
"""More silence than that ends a stretch."""
_QUARTERS = ("first", "second", "third", "fourth")


class SyncWatch:
    """Takes the sound that was presented, and how far the mouth was open in each picture."""

    def __init__(self) -> None:
        self._loudness: dict[int, float] = {}
        self.held = 0
        """Pictures that were the same as the one before, pixel by pixel."""

    def sound(self, stamp: int, samples: np.ndarray) -> None:
        """A frame's sound, int16 [n], presented at `stamp` [ns]."""
        # The root of the root mean square: nearest to how far a mouth is open.
        power = float(np.mean(np.square(samples, dtype=np.float32))) if len(samples) else 0.0
        self._loudness[stamp] = power**0.25

    def summary(self, apertures: Mapping[int, float]) -> dict[str, Any]:
        """apertures: stamp [ns] -> how far the mouth was open in that picture, 0..1.

        `stretches` of speech, best correlation (`correlation_*`) and the lag at it (`lag_frames_*`;
        positive: the picture is late) of each: median and worst; `lag_frames`: of all together.
        The same for each quarter of the time. `frames_held`: see `held`.
        """
        stretches = [
            (stamps[0], self._correlations(stamps, apertures)) for stamps in self._speech(apertures)
        ]
        times = sorted(self._loudness)
        found: dict[str, Any] = {**_row([c for _, c in stretches]), "frames_held": self.held}
        for number, name in enumerate(_QUARTERS if times else ()):
            length = (times[-1] - times[0]) / len(_QUARTERS) + 1.0
            of_quarter = [c for ns, c in stretches if (ns - times[0]) // length == number]
            found[f"{name} quarter"] = _row(of_quarter)
        return found

    def _speech(self, apertures: Mapping[int, float]) -> Iterator[list[int]]:
        """Stamps of the frames of each stretch that both were seen and heard."""
        stretch: list[int] = []
        silent = 0
        for stamp in sorted(self._loudness):
            loud = self._loudness[stamp] > 0.0
            silent = 0 if loud else silent + 1
            if stamp in apertures and (loud or stretch):
                stretch.append(stamp)
            if silent > _PAUSE_FRAMES:
                if len(stretch) - silent >= _LEAST_FRAMES:
                    yield stretch[:-silent]
                stretch = []
        if len(stretch) >= _LEAST_FRAMES:
            yield stretch

    def _correlations(self, stamps: Sequence[int], apertures: Mapping[int, float]) -> np.ndarray:
        """Correlation of sound and picture, at each lag."""
        loud = np.array([self._loudness[stamp] for stamp in stamps])
        seen = np.array([apertures[stamp] for stamp in stamps])
        count = len(stamps)
        return np.array(
            [
                correlate(loud[max(0, -lag) : count - max(0, lag)],
                          seen[max(0, lag) : count - max(0, -lag)])
                for lag in _LAGS
            ]
        )  # fmt: skip


def _row(correlations: Sequence[np.ndarray]) -> dict[str, Any]:
    """Figures of stretches of speech: see `SyncWatch.summary`."""
    if not correlations:
        return {"stretches": 0}
    best = [float(c.max()) for c in correlations]
    lags = [_LAGS[int(c.argmax())] for c in correlations]
    return {
        "stretches": len(correlations),
        "correlation_p50": round(float(np.median(best)), 3),
        "correlation_worst": round(min(best), 3),
        "lag_frames": _LAGS[int(np.mean(correlations, axis=0).argmax())],
        "lag_frames_p50": float(np.median(lags)),
        "lag_frames_worst": max(lags, key=abs),
    }
