"""Sound of a held or dropped reply that was heard all the same."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Leak:
    """One frame of sound that was heard later than allowed."""

    turn: int
    """The turn that the order meant."""
    order: str
    """The order and its reason."""
    after_s: float
    """Time from the detection of speech to the begin of the frame."""
    samples: int
    """Its samples beyond what is allowed."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)
