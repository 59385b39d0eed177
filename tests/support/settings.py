"""Settings of stations for a small checkpoint, in float32: what a test leaves out is filled in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avatar_nodes.profile.settings import NodeSettings
from support.tiny_checkpoint import SIDE, SIGMAS

if TYPE_CHECKING:
    from rclpy.parameter import Parameter

_Settings = TypeVar("_Settings", bound=NodeSettings)


def settings_of(kind: type[_Settings], checkpoint: Path | str = "none", **values: Any) -> _Settings:
    """Settings of that class for `checkpoint`: every step, pictures of SIDE, and `values`."""
    sigmas = list(values.get("sigmas", SIGMAS))
    filled: dict[str, Any] = {
        "checkpoint": str(checkpoint),
        "dtype": "float32",
        "width": SIDE,
        "height": SIDE,
        "sigmas": sigmas,
        "steps": list(range(len(sigmas) - 1)),
        "stages": ["presenter"],
        "prompt": "a person talks to the camera",
    }
    known = {name: value for name, value in filled.items() if name in kind.model_fields}
    return kind(**known | values)


def overrides_of(settings: NodeSettings) -> list[Parameter]:
    """As a node is given its parameters."""
    from rclpy.parameter import Parameter

    return [Parameter(name, value=value) for name, value in settings.parameters().items()]
