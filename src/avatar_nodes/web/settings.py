"""Settings of the web page and its server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.marking.settings import OutputSettings
from avatar_nodes.profile.archive import KeptOfVisitors
from avatar_nodes.profile.kiosk import KioskSection


class KioskSettings(KioskSection, OutputSettings):
    """Section `kiosk` of the profile, what the page shows, and whom it speaks to."""

    enabled: bool = Field(default=True, exclude=True)
    mode: Literal["converse", "puppet"] = Field(
        default="converse",
        description="`converse`: visitors ask. `puppet`: an operator speaks, others watch.",
    )
    listens: bool = Field(
        default=True,
        description="The avatar hears browsers, on `topic`; false: a microphone of its own.",
    )
    topic: str = Field(
        default="audio_in", min_length=1, description="AudioChunk topic of what browsers hear."
    )
    personas: list[str] = Field(
        default_factory=list, description="Those that an operator may choose from."
    )
    recorded_of_visitors: KeptOfVisitors = Field(
        default="nothing", description="What a recording keeps of visitors; the page tells them."
    )
    block_frames: int = Field(default=12, ge=1, le=64, description="Frames of a block.")
