"""The profile's sections `restart` and `diagnostics`: processes that end, reports."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.section import PositiveSeconds, Section


class RestartSection(Section):
    """What happens when a process of the graph ends by itself. `ros2 launch` knows `respawn` and
    `delay_s` alone, starts a process again for ever, and ends when one finds its configuration
    wrong."""

    respawn: bool = Field(default=True, description="Start a process again that has ended.")
    delay_s: float = Field(
        default=0.1,
        ge=0.0,
        le=60.0,
        description="Seconds before the first restart; doubles with each one.",
    )
    max_delay_s: float = Field(
        default=10.0, ge=0.0, le=600.0, description="Longest pause between restarts, in seconds."
    )
    max_restarts: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Restarts allowed within `window_s`; one more ends the graph. Except in"
        " `avatar render`, a process that has run and now finds its configuration wrong (its disk"
        " or device is gone) does not count: it is tried again every `max_delay_s`.",
    )
    window_s: PositiveSeconds = Field(
        default=60.0, description="Window in which restarts are counted."
    )
    start_timeout_s: PositiveSeconds = Field(
        default=120.0,
        description="Seconds within which every node of the graph must be ready after the start.",
    )
    silence_s: float = Field(
        default=5.0,
        ge=0.0,
        le=3600.0,
        description="A process is killed and started again when one of its nodes, once active, has"
        " given no sign of life for this many seconds. 0: never.",
    )
    stall_s: float = Field(
        default=10.0,
        ge=0.0,
        le=3600.0,
        description="When no new picture was shown for this many seconds although one is due, the"
        " station that holds it is killed and started again; it has three times as long as the"
        " slowest of the last blocks took. 0: never. Not in `avatar render`.",
    )
    spare: bool = Field(
        default=True,
        description="Keep a process that has imported what the stations need, to take the place of"
        " the next one that ends. Not in `avatar render`.",
    )
    grace_s: PositiveSeconds = Field(
        default=3.0,
        description="Seconds that a process has to end after SIGINT before it is killed.",
    )


class DiagnosticsSection(Section):
    """The reports on `/diagnostics`."""

    period_s: float = Field(
        ge=0.05, le=3600.0, default=1.0, description="Seconds between two reports of a node."
    )
