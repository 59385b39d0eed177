"""Sound of a reply that was heard though it had been held or dropped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Leak:
    """One frame of sound that was heard later than allowed."""

    turn: int
    """The turn that the order meant."""
    order: str
    """What was ordered, and why."""
    after_s: float
    """When the frame began, from the detection of speech."""
    samples: int
    """Its samples beyond what is allowed."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
