"""What was lost in the hours of a soak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from avatar_nodes.bench.turn.figures import TurnFigures, quantile


@dataclass(frozen=True)
class AccidentReport:
    """An accident, and what was seen of it."""

    kind: str
    what: str
    """To what it happened; empty: there is only one."""
    still_s: float
    """The longest time for which the picture stood from then until all was well."""
    back_s: float | None
    """When all was well again, from its beginning; None: it never was while it was waited for."""

    def __str__(self) -> str:
        back = "NOT BACK" if self.back_s is None else f"well after {self.back_s:.1f} s"
        return f"{self.kind} {self.what}".strip() + f": {back}, still {self.still_s:.1f} s"


@dataclass(frozen=True)
class SoakFigures:
    """All figures of a run."""

    turns: TurnFigures
    accidents: Sequence[AccidentReport]
    picture: Mapping[str, Any]
    page: Mapping[str, Any]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each kind of accident."""
        rows = []
        for kind in sorted({accident.kind for accident in self.accidents}):
            of = [accident for accident in self.accidents if accident.kind == kind]
            back = [accident.back_s for accident in of if accident.back_s is not None]
            still = [accident.still_s for accident in of]
            rows.append(
                {
                    "accident": kind,
                    "times": len(of),
                    "not_back": len(of) - len(back),
                    "back_s_p50": quantile(back, 50),
                    "back_s_max": quantile(back, 100),
                    "still_s_p50": quantile(still, 50),
                    "still_s_max": quantile(still, 100),
                }
            )
        return rows

    def as_dict(self) -> dict[str, Any]:
        """For JSON; null where nothing was measured."""
        turns = self.turns.as_dict()
        steps = sum(turns["steps"].values())
        kept = (
            "turns", "answered", "unanswered", "stuck", "refused", "restarts", "watchdogs",
            "first_frame_s_p50", "first_frame_s_p90", "memory_mib", "memory_mib_per_h",
            "memory_mib_per_h_error", "memory_flat",
        )  # fmt: skip
        return {
            "steps": steps,
            **{name: turns[name] for name in kept},
            **self.picture,
            **self.page,
            "accidents": self.rows(),
            "each": [asdict(accident) for accident in self.accidents],
        }
