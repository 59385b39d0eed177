"""Settings of the timeline."""

from __future__ import annotations

from avatar_nodes.profile.settings import NodeSettings, key


class TimelineSettings(NodeSettings):
    """Rates of sound and pictures."""

    sample_rate: int = key("audio.sample_rate")
    fps: int = key("video.fps")
