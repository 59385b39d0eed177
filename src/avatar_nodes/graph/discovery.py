"""Whom ROS 2 finds, and is found by: this machine alone, unless somebody opens it."""

from __future__ import annotations

import os
from collections.abc import Mapping

RANGE = "ROS_AUTOMATIC_DISCOVERY_RANGE"
_LOCAL, _SUBNET = "LOCALHOST", "SUBNET"


def discovery_environment(
    *, opened: bool, asked: bool | None = None, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The variable that the processes of a graph need, or none.

    Args:
        opened: what the profile says.
        asked: what whoever starts the graph says, which goes before all else.
        base: the environment (default: our own); a range in it goes before the profile's.
    """
    if asked is None and (os.environ if base is None else base).get(RANGE):
        return {}
    wide = opened if asked is None else asked
    return {RANGE: _SUBNET if wide else _LOCAL}


def exposure(env: Mapping[str, str]) -> str:
    """What to warn of in an environment, in one line; empty: nothing."""
    reach = env.get(RANGE) or _SUBNET
    protected = env.get("ROS_SECURITY_ENABLE", "").lower() == "true"
    enforced = protected and env.get("ROS_SECURITY_STRATEGY", "").lower() == "enforce"
    if reach.upper() in (_LOCAL, "OFF") or enforced:
        return ""
    return (
        f"{RANGE} is {reach}: whoever reaches this network may hear, see and move the avatar, for"
        " ROS 2's security is not enforced; see docs/workspace.md"
    )


def stay_local() -> None:
    """Keep the nodes of this process, and of those that it starts, to this machine, unless the
    environment says otherwise."""
    os.environ.update(discovery_environment(opened=False))
