"""Whether the memory of a graph's processes stays flat: its samples, and how fast it grows."""

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
        """Of every process that was there all the time, and their sum [MiB]."""
        if not self.samples:
            return {}
        names = sorted(set.intersection(*({*sample} for sample in self.samples)))
        found = {name: [sample[name] for sample in self.samples] for name in names}
        return found | {TOTAL: [sum(sample[name] for name in names) for sample in self.samples]}

    def at_times(self) -> dict[str, dict[str, float]]:
        """Of each: at the start, half-way, at the end [MiB]."""
        moments = {"start": 0, "middle": len(self.samples) // 2, "end": -1}
        return {
            name: {when: round(values[place], 1) for when, place in moments.items()}
            for name, values in self.series().items()
        }

    def slopes(self) -> dict[str, float]:
        """Of each: the slope of a line through the second half of the time [MiB an hour]; what
        warms up is behind it. Empty with fewer than three samples there."""
        times = np.array(self.elapsed_s) / 3600.0
        if not len(times):
            return {}
        late = times >= (times[0] + times[-1]) / 2.0
        if late.sum() < 3 or np.ptp(times[late]) == 0.0:
            return {}
        return {
            name: round(float(np.polyfit(times[late], np.array(values)[late], 1)[0]), 1)
            for name, values in self.series().items()
        }

    @property
    def flat(self) -> bool | None:
        """The sum grows by less than 20 MiB an hour in the second half; None: that is shorter than
        ten minutes."""
        slopes = self.slopes()
        if not slopes or self.elapsed_s[-1] - self.elapsed_s[0] < 2.0 * _LEAST_S:
            return None
        return slopes[TOTAL] < _FLAT_MIB_PER_H

    def as_dict(self) -> dict[str, list[float]]:
        """All samples, for JSON: `elapsed_s`, and [MiB] of each."""
        return {"elapsed_s": [round(at, 1) for at in self.elapsed_s]} | {
            name: [round(value, 1) for value in values] for name, values in self.series().items()
        }
