"""Judges from samples if the memory of a graph's processes stays flat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

TOTAL = "total"
"""Name of the sum over all processes."""
_FLAT_MIB_PER_H = 20.0
"""A day of it is half a gigabyte."""
_LEAST_S = 600.0
"""A shorter time says nothing of hours."""
_MOST_ALIKE = 0.95
"""A sample and the next one; a level that moves once in all that time could as well be a slope."""


@dataclass(frozen=True)
class Slope:
    """Slope of a line through samples of memory, and its standard error [MiB an hour]."""

    mib_per_h: float
    error: float

    @classmethod
    def through(cls, hours: np.ndarray, resident_mib: np.ndarray) -> Slope:
        """The line of least squares. Memory swings for minutes, so neighbouring samples are alike:
        the error counts n (1 - r) / (1 + r) of n samples, r their first-order autocorrelation."""
        line = np.polyfit(hours, resident_mib, 1)
        rest = resident_mib - np.polyval(line, hours)
        spread = float(np.square(hours - hours.mean()).sum())
        power = float(rest @ rest)
        error = np.sqrt(power / (len(hours) - 2) / spread)
        alike = float(rest[1:] @ rest[:-1]) / power if power else 0.0
        alike = min(max(alike, 0.0), _MOST_ALIKE)
        error *= np.sqrt((1.0 + alike) / (1.0 - alike))
        return cls(round(float(line[0]), 1), round(float(error), 1))


@dataclass
class MemoryTrend:
    """Resident memory of processes by name, as the samples come."""

    elapsed_s: list[float] = field(default_factory=list)
    samples: list[Mapping[str, float]] = field(default_factory=list)
    """[MiB]"""

    def note(self, elapsed_s: float, resident_mib: Mapping[str, float]) -> None:
        """A sample of every process, `elapsed_s` after the first."""
        self.elapsed_s.append(elapsed_s)
        self.samples.append(dict(resident_mib))

    def series(self) -> dict[str, list[float]]:
        """Memory of every process that ran all the time, and their sum [MiB]."""
        if not self.samples:
            return {}
        names = sorted(set.intersection(*({*sample} for sample in self.samples)))
        found = {name: [sample[name] for sample in self.samples] for name in names}
        return found | {TOTAL: [sum(sample[name] for name in names) for sample in self.samples]}

    def at_times(self) -> dict[str, dict[str, float]]:
        """Memory of each at the start, half-way and at the end [MiB]."""
        moments = {"start": 0, "middle": len(self.samples) // 2, "end": -1}
        return {
            name: {when: round(values[place], 1) for when, place in moments.items()}
            for name, values in self.series().items()
        }

    def slopes(self) -> dict[str, Slope]:
        """Slope of each in the second half of the time, after warming up. Empty with fewer than
        three samples there."""
        times = np.array(self.elapsed_s) / 3600.0
        if not len(times):
            return {}
        late = times >= (times[0] + times[-1]) / 2.0
        if late.sum() < 3 or np.ptp(times[late]) == 0.0:
            return {}
        return {
            name: Slope.through(times[late], np.array(values)[late])
            for name, values in self.series().items()
        }

    @property
    def flat(self) -> bool | None:
        """True if the sum grows by less than 20 MiB an hour in the second half, False if by more.
        None, where only a longer run can tell: the slope is within two standard errors of that
        limit, or the half is shorter than ten minutes."""
        slopes = self.slopes()
        if not slopes or self.elapsed_s[-1] - self.elapsed_s[0] < 2.0 * _LEAST_S:
            return None
        slope = slopes[TOTAL]
        if abs(slope.mib_per_h - _FLAT_MIB_PER_H) < 2.0 * slope.error:
            return None
        return slope.mib_per_h < _FLAT_MIB_PER_H

    def as_dict(self) -> dict[str, list[float]]:
        """All samples, for JSON: `elapsed_s`, and [MiB] of each."""
        return {"elapsed_s": [round(at, 1) for at in self.elapsed_s]} | {
            name: [round(value, 1) for value in values] for name, values in self.series().items()
        }
