"""Settings of the voice."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.conversation import VoiceSection
from avatar_nodes.profile.settings import NodeSettings, key


class VoiceSettings(VoiceSection, NodeSettings):
    """Section `voice` of the profile, and the sound that the graph wants."""

    LIVE = NodeSettings.LIVE | {"volume"}

    sample_rate: int = key("audio.sample_rate")
    persona: str = Field(
        default="",
        description="Whose sentences are made before they are wanted; empty: nobody's.",
    )
    chunk_samples: int = Field(
        default=640, ge=1, le=1 << 20, description="Samples of a message at most."
    )
