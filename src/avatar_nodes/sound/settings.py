"""Settings of the microphone and the loudspeaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.loudspeaker import LoudspeakerSection
from avatar_nodes.profile.settings import NodeSettings, key


class MicrophoneSettings(NodeSettings):
    """Where sound comes from, and whether the avatar says it or listens to it."""

    source: Literal["file", "device", "topic"] = Field(
        default="topic", description="Where speech comes from."
    )
    file: str = Field(default="", description="Sound file of source `file`, of any kind.")
    device: str = Field(
        default="", description="Input device of source `device`: part of its name, or number."
    )
    topic: str = Field(default="audio_in", description="AudioChunk topic of source `topic`.")
    pace: Literal["realtime", "demand"] = Field(
        default="realtime",
        description="How a file flows: at the speed of its sound, or as fast as demanded.",
    )
    output: Literal["speech", "user"] = Field(
        default="speech",
        description="`speech`: it moves the avatar, on demand. `user`: the avatar listens to it.",
    )
    sample_rate: int = key("audio.sample_rate")
    chunk_samples: int = Field(
        default=640, ge=1, le=1 << 20, description="Samples of a message at most."
    )
    echo_s: float = Field(
        default=1.0,
        ge=0.0,
        le=5.0,
        description="How long after its stamps `audio` may be captured; 0: never [s].",
    )


class LoudspeakerSettings(LoudspeakerSection, NodeSettings):
    """Section `loudspeaker` of the profile, and the rate of what is played."""

    LIVE = NodeSettings.LIVE | {"volume"}

    enabled: bool = Field(default=True, exclude=True)
    sample_rate: int = key("audio.sample_rate")
