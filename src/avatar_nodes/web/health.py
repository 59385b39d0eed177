"""What the supervisors of an avatar say of it, put together."""

from __future__ import annotations

from typing import Any

_SILENT_S = 3.0
"""A supervisor tells it every second."""
_MOST_MACHINES = 16

Report = dict[str, Any]
"""`healthy`, `message`, `block`, `still_s`, `restarts`."""
_NOTHING: Report = {
    "healthy": False, "message": "no supervisor tells how the avatar is", "block": -1,
    "still_s": 0.0, "restarts": 0,
}  # fmt: skip


class HealthBoard:
    """The last report of every machine that runs a part of the avatar. Times are seconds of any
    monotonic clock."""

    def __init__(self) -> None:
        self._reports: dict[str, tuple[float, Report]] = {}

    def put(self, machine: str, report: Report, now: float) -> None:
        """A supervisor's report; of more machines than may be, none is taken."""
        if machine in self._reports or len(self._reports) < _MOST_MACHINES:
            self._reports[machine] = (now, report)

    def sum(self, now: float) -> Report:
        """The whole, which is well when all its parts are; a machine that has fallen silent is
        not."""
        if not self._reports:
            return _NOTHING
        parts = [
            report if now - at <= _SILENT_S else {**report, **_silent(now - at)}
            for at, report in self._reports.values()
        ]
        wrong = [part for part in parts if not part["healthy"]]
        return {
            "healthy": not wrong,
            "message": "; ".join(dict.fromkeys(part["message"] for part in wrong or parts)),
            "block": max(part["block"] for part in parts),
            "still_s": max(part["still_s"] for part in parts),
            "restarts": sum(part["restarts"] for part in parts),
        }


def _silent(silent_s: float) -> Report:
    return {"healthy": False, "message": f"a supervisor has been silent for {silent_s:.0f} s"}
