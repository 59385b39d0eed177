"""The profile's section `network`: who may find the avatar by ROS 2."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.section import Section


class NetworkSection(Section):
    """Who may find the avatar by ROS 2 (docs/workspace.md)."""

    open: bool = Field(
        default=False,
        description="The whole subnet, as ROS 2 has it by default; else this machine alone. Whoever"
        " finds the avatar hears, sees and moves it, past the page's tokens. The environment's"
        " ROS_AUTOMATIC_DISCOVERY_RANGE goes before it.",
    )
