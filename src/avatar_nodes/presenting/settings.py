"""Settings of the presenter."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.marking.settings import OutputSettings
from avatar_nodes.profile.section import Pace, QosName
from avatar_nodes.profile.settings import key


class PresenterSettings(OutputSettings):
    """The pace, and the topics that pictures and sound leave on."""

    LIVE = OutputSettings.LIVE | {
        "jpeg_quality", "label", "watermark", "mark_text", "mark_corner", "mark_number",
    }  # fmt: skip

    pace: Pace = key("stream.pace")
    margin_s: float = key("stream.margin_s")
    jpeg_quality: int = key("video.jpeg_quality")
    readers: int = Field(
        default=0, ge=0, le=64, description="Subscribers without which it is not ready."
    )
    qos_image: QosName = key("qos.image")
    qos_audio: QosName = key("qos.audio")
