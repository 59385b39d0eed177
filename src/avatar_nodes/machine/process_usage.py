"""CPU time and memory of processes between two moments."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Memory:
    """Memory of a process and of those it has started [MiB].

    pss: its share, a page that n processes map counting 1/n; the shares of all processes add up to
    what they take together. rss: all pages that it maps. uss: the pages that it alone maps.
    """

    pss_mib: float
    rss_mib: float
    uss_mib: float


@dataclass(frozen=True)
class Usage:
    """Share of one core [%] over the time measured, and memory at its end."""

    cpu_percent: float
    memory: Memory


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
                usage[name] = Usage(100.0 * used / elapsed, _memory(process))
        return usage


def memory_of(pids: Mapping[str, int]) -> dict[str, Memory]:
    """Memory of processes by name, now; those that have ended are left out."""
    found: dict[str, Memory] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            found[name] = _memory(psutil.Process(pid))
    return found


def resident_mib(pids: Mapping[str, int]) -> dict[str, float]:
    """Resident memory of processes by name [MiB], now; those that have ended are left out."""
    found: dict[str, float] = {}
    for name, pid in pids.items():
        with contextlib.suppress(psutil.Error):
            found[name] = psutil.Process(pid).memory_info().rss / 2**20
    return found


def _memory(process: psutil.Process) -> Memory:
    parts = [process.memory_full_info()]
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            parts.append(child.memory_full_info())
    return Memory(
        pss_mib=sum(part.pss for part in parts) / 2**20,
        rss_mib=sum(part.rss for part in parts) / 2**20,
        uss_mib=sum(part.uss for part in parts) / 2**20,
    )


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
