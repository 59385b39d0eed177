"""The profile's section on a sound device that plays what the avatar says."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.section import Section


class LoudspeakerSection(Section):
    """A loudspeaker of this machine (docs/sound.md)."""

    enabled: bool = Field(
        default=False, description="Play `audio` on a sound device (modes puppet and converse)."
    )
    device: str = Field(
        default="",
        description="Part of the device's name, or its number, as `avatar check` lists them; empty:"
        " the default output.",
    )
    delay_s: float = Field(
        default=0.12,
        ge=0.0,
        le=1.0,
        description="Sound is heard so long after the stamp that it shares with its picture [s];"
        " covers the device's latency.",
    )
    volume: float = Field(
        default=1.0, ge=0.0, le=2.0, description="Loudness on this device; 1: as it is."
    )
