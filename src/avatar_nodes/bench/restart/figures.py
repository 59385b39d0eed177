"""Figures of an accident: how long the picture stood still, where the time went, what of the speech
was lost."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np

PHASES = ("started", "alive", "active", "epoch", "moves")
"""The process is started again; its first sign of life; it is active; the new epoch begins; the
picture moves."""


@dataclass(frozen=True)
class Accident:
    """One process that was killed while the avatar spoke; seconds since then."""

    station: str
    at_s: dict[str, float]
    """When each of PHASES was reached."""
    still_s: float
    """The longest time for which the picture stood."""
    sound_s: float
    """Of what was said and heard."""
    lost_s: float
    """Of what was said and not heard."""
    doubled_s: float
    """Of what was heard and not said there: again, or from elsewhere."""

    @property
    def went_on(self) -> bool:
        """The speech was heard to its end, and nothing of it twice."""
        return self.lost_s == self.doubled_s == 0.0


def longest_still(changes: Sequence[float], since: float, until: float) -> tuple[float, float]:
    """The longest time between two changes of the picture that ended after `since`, and when it
    ended; `until` if nothing changed any more."""
    before = [at for at in changes if at <= since]
    after = [at for at in changes if since < at < until]
    times = [before[-1] if before else since, *after, until]
    longest = max(pairwise(times), key=lambda pair: pair[1] - pair[0])
    return longest[1] - longest[0], longest[1]


def speech_lost(said: np.ndarray, heard: np.ndarray, *, least: int) -> tuple[int, int]:
    """Samples of `said` that are not in `heard`, and of `heard` that are not in `said`, silence
    left out of both: pauses of the graph's own are in between.

    said, heard: int16 [n]. least: samples by which a place in the speech is found again.
    """
    said, heard = said[said != 0], heard[heard != 0]
    lost = doubled = 0
    while len(heard) and len(said):
        count = min(len(said), len(heard))
        different = np.flatnonzero(said[:count] != heard[:count])
        same = int(different[0]) if len(different) else count
        said, heard = said[same:], heard[same:]
        if not len(heard) or not len(said):
            break
        skipped = _place(heard[:least], said)
        if skipped > 0:
            lost, said = lost + skipped, said[skipped:]
        else:  # a sample that was not said: of another place, or a slope
            doubled, heard = doubled + 1, heard[1:]
    return lost + len(said), doubled + len(heard)


def _place(part: np.ndarray, whole: np.ndarray) -> int:
    found = whole.tobytes().find(part.tobytes())
    while found > 0 and found % 2:
        found = whole.tobytes().find(part.tobytes(), found + 1)
    return found // 2 if found >= 0 else -1


def table(accidents: Sequence[Accident]) -> list[dict[str, Any]]:
    """A row for each station, in the order of its first accident."""
    rows = []
    for station in dict.fromkeys(accident.station for accident in accidents):
        of = [accident for accident in accidents if accident.station == station]
        rows.append(
            {
                "station": station,
                "kills": len(of),
                "back_s_median": _rounded([accident.at_s["moves"] for accident in of]),
                "back_s_worst": round(max(accident.at_s["moves"] for accident in of), 2),
                "still_s_median": _rounded([accident.still_s for accident in of]),
                "still_s_worst": round(max(accident.still_s for accident in of), 2),
                "phases_s_median": {
                    phase: _rounded([a.at_s[phase] for a in of if phase in a.at_s])
                    for phase in PHASES
                    if any(phase in a.at_s for a in of)
                },
                "speech_went_on": sum(accident.went_on for accident in of),
                "speech_lost_s_worst": round(max(accident.lost_s for accident in of), 2),
                "accidents": [asdict(accident) for accident in of],
            }
        )
    return rows


def _rounded(values: Sequence[float]) -> float:
    return round(statistics.median(values), 2)
