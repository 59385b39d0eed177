"""CPU time and memory of processes between two moments."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Usage:
    """Share of one core [%] over the time measured, and resident memory [MiB] at its end."""

    cpu_percent: float
    memory_mib: float


class UsageMeter:
    """Measures processes by name, from `start` to `read`; those that have ended are left out."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._before: dict[str, tuple[psutil.Process, float]] = {}

    @property
    def started(self) -> bool:
        """`start` was called."""
        return bool(self._before)

    def start(self, pids: Mapping[str, int]) -> None:
        """Begin with the CPU time that each process has used up to now."""
        self._began_s = time.monotonic()
        for name, pid in pids.items():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                self._before[name] = (process, _cpu_s(process))

    def read(self) -> dict[str, Usage]:
        """Usage of each process since `start`."""
        elapsed = max(time.monotonic() - self._began_s, 1e-6)
        usage: dict[str, Usage] = {}
        for name, (process, before) in self._before.items():
            with contextlib.suppress(psutil.Error):
                used = _cpu_s(process) - before
                memory = process.memory_info().rss / 2**20
                usage[name] = Usage(100.0 * used / elapsed, memory)
        return usage


def resident_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of processes by name [MiB], now; those that have ended are left out."""
    found: dict[str, float] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            found[name] = psutil.Process(pid).memory_info().rss / 2**20
    return found


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
