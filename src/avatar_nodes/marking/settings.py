"""Settings of the nodes that hand on pictures and sound, marked."""

from __future__ import annotations

from typing import Literal

from avatar_nodes.profile.settings import NodeSettings, key


class OutputSettings(NodeSettings):
    """Size and rate of the pictures, the sound's rate, and the marks."""

    width: int = key("video.width")
    height: int = key("video.height")
    fps: int = key("video.fps")
    sample_rate: int = key("audio.sample_rate")
    label: bool = key("marking.label")
    watermark: bool = key("marking.watermark")
    mark_text: str = key("marking.text")
    mark_corner: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = key(
        "marking.corner"
    )
    mark_number: int = key("marking.number")
