"""Says which of several processes under one name counts: what a stranger says is no restart."""

from __future__ import annotations

from dataclasses import dataclass

_SILENT_S = 0.75
"""Longer than between two signs of life, and shorter than any process takes to start."""


@dataclass
class _Known:
    instance: str
    seen: float


class Instances:
    """The instance (StageStatus.instance) of each of the nodes `names`: another one counts only
    once the one before has fallen silent. Times are seconds of any monotonic clock."""

    def __init__(self, *names: str) -> None:
        self._known: dict[str, _Known | None] = dict.fromkeys(names)

    def heard(self, name: str, instance: str, now: float) -> bool:
        """A sign of life; false: it is of no node that counts."""
        if name not in self._known:
            return False
        known = self._known[name]
        if known is not None and known.instance != instance and now - known.seen < _SILENT_S:
            return False
        self._known[name] = _Known(instance, now)
        return True
