"""How an avatar is, as a message: what its supervisor says of the whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

from avatar_nodes.errors.refused_error import RefusedError

_LONGEST_MESSAGE = 1000
_HIGHEST = 2**53
_FIGURES = {"block": int, "still_s": float, "restarts": int}


def health_to_msg(
    healthy: bool, message: str, figures: Mapping[str, float], *, avatar: str, machine: str
) -> DiagnosticStatus:
    """`figures`: `block`, `still_s` and `restarts` of `graph/watchdog.py`'s Health."""
    return DiagnosticStatus(
        level=DiagnosticStatus.OK if healthy else DiagnosticStatus.ERROR,
        name=avatar,
        hardware_id=machine,
        message=message[:_LONGEST_MESSAGE],
        values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()],
    )


def health_from_msg(msg: DiagnosticStatus) -> dict[str, Any]:
    """`healthy`, `message` and the figures, ready for JSON.

    Raises:
        RefusedError: `health`, a message that no supervisor makes.
    """
    if len(msg.message) > _LONGEST_MESSAGE or len(msg.values) > len(_FIGURES):
        raise RefusedError("health", "a longer message than a supervisor makes")
    report: dict[str, Any] = {"healthy": msg.level == DiagnosticStatus.OK, "message": msg.message}
    given = {item.key: item.value for item in msg.values}
    try:
        figures = {name: kind(given[name]) for name, kind in _FIGURES.items()}
        if not all(-1 <= figure <= _HIGHEST for figure in figures.values()):
            raise ValueError
        return report | figures
    except (KeyError, ValueError):
        raise RefusedError("health", f"expected the figures {', '.join(_FIGURES)}") from None
