"""Settings of the recorder and the archive."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.marking.settings import OutputSettings
from avatar_nodes.profile.archive import ArchiveSection
from avatar_nodes.profile.section import QosName
from avatar_nodes.profile.settings import key


class RecorderSettings(OutputSettings):
    """The file of `--out`, and the topics that it is made of."""

    out: str = Field(min_length=1, description="Video file to write (MP4: H.264 and AAC).")
    qos_image: QosName = key("qos.image")
    qos_audio: QosName = key("qos.audio")
    label: bool = key("marking.file_label")
    watermark: bool = key("marking.file_watermark")


class ArchiveSettings(ArchiveSection, OutputSettings):
    """Section `archive` of the profile, and what its files hold."""

    enabled: bool = Field(default=True, exclude=True)
