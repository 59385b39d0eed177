"""Sums up what a node measures about itself, for each report."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_SAMPLES = 256


class Telemetry:
    """Counters, gauges and distributions by name; written by callbacks, read by the heartbeat
    thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rejected: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._gauges: dict[str, float] = {}
        self._samples: dict[str, deque[float]] = {}
        self._events = 0
        self._since = time.monotonic()

    def rejected(self, reason: str) -> int:
        """Count a message that was refused; returns how many for this reason."""
        with self._lock:
            self._rejected[reason] += 1
            return self._rejected[reason]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that only grows (`frames_held`)."""
        with self._lock:
            self._counts[name] += amount

    def gauge(self, name: str, value: float) -> None:
        """Set a momentary value (`queue_depth`)."""
        with self._lock:
            self._gauges[name] = value

    def sample(self, name: str, value: float) -> None:
        """Add to a distribution of the last values (`stage_ms`)."""
        with self._lock:
            self._samples.setdefault(name, deque(maxlen=_SAMPLES)).append(value)

    def output(self, amount: int = 1) -> None:
        """Count what the node gives out, for its rate."""
        with self._lock:
            self._events += amount

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Sample the milliseconds that the body takes."""
        start = time.perf_counter()
        yield
        self.sample(name, (time.perf_counter() - start) * 1000.0)

    @property
    def rejections(self) -> Mapping[str, int]:
        """Refused messages by reason."""
        with self._lock:
            return dict(self._rejected)

    def report(self) -> dict[str, str]:
        """Everything as text, ready for a DiagnosticStatus; the rate is that since the last
        report."""
        now = time.monotonic()
        with self._lock:
            elapsed, self._since = now - self._since, now
            values = {"rate_hz": f"{self._events / max(elapsed, 1e-6):.2f}"}
            self._events = 0
            for name, value in self._gauges.items():
                values[name] = f"{value:.6g}" if isinstance(value, float) else str(value)
            values |= {name: str(count) for name, count in self._counts.items()}
            for name, samples in self._samples.items():
                values |= _distribution(name, sorted(samples))
            values["rejected"] = str(sum(self._rejected.values()))
            values |= {f"rejected/{reason}": str(n) for reason, n in self._rejected.items()}
        return values


def _distribution(name: str, ordered: list[float]) -> dict[str, str]:
    def quantile(share: float) -> float:
        return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]

    return {
        f"{name}_mean": f"{sum(ordered) / len(ordered):.3f}",
        f"{name}_p50": f"{quantile(0.5):.3f}",
        f"{name}_p99": f"{quantile(0.99):.3f}",
        f"{name}_max": f"{ordered[-1]:.3f}",
    }
