"""The profile's sections `video`, `audio` and `qos`: the pictures and the sound of the stream."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.block.speech_level import ContextColumns, Loudness
from avatar_nodes.block.timing import (
    MAX_FRAME_RATE,
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
)
from avatar_nodes.profile.section import QosName, Section


class VideoSection(Section):
    """The picture that comes out."""

    width: int = Field(
        ge=16, le=4096, multiple_of=16, description="Picture width in pixels, a multiple of 16."
    )
    height: int = Field(
        ge=16, le=4096, multiple_of=16, description="Picture height in pixels, a multiple of 16."
    )
    fps: int = Field(
        default=25,
        ge=1,
        le=MAX_FRAME_RATE,
        description="Frames per second. The model's, which is also what it is where the key is left"
        " out; another value is refused.",
    )
    jpeg_quality: int = Field(
        default=85, ge=1, le=100, description="JPEG quality of `image_raw/compressed` (1 to 100)."
    )
    frame_id: str = Field(
        default="avatar_camera_optical_frame",
        min_length=1,
        description="`header.frame_id` of every message that does not name its own source: the"
        " frame of the pictures, x to the right, y down, z into the picture (REP 103).",
    )


class AudioSection(Section):
    """The sound inside the graph: mono 16-bit samples."""

    sample_rate: int = Field(
        default=16000,
        ge=MIN_SAMPLE_RATE,
        le=MAX_SAMPLE_RATE,
        description="Samples per second inside the graph; every source is resampled to it. The"
        " model's, as `video.fps`; another value is refused.",
    )
    context_s: float = Field(
        default=4.0,
        ge=0.24,
        le=60.0,
        description="Sound before a block that its features hear [s] (wav2vec).",
    )
    lookahead_s: float = Field(
        default=0.16,
        ge=0.04,
        le=60.0,
        description="Sound after a block that its features hear [s] (wav2vec); live, that much"
        " latency.",
    )
    loudness: Loudness = Field(
        default="window",
        description="What a window of sound is divided by (wav2vec): its own deviation, the"
        " `window`'s, which lifts speech after a silence; or the running level of the `speech`.",
    )
    context_columns: ContextColumns = Field(
        default="heard",
        description="The five columns of features before a block (wav2vec): as they are `heard`, or"
        " copies of the block's first one, `repeated`.",
    )


class QosSection(Section):
    """Quality of service of the public topics, by the names of ROS 2's presets."""

    image: QosName = Field(default="RELIABLE", description="QoS of `image_raw` and its siblings.")
    audio: QosName = Field(default="RELIABLE", description="QoS of `audio`.")
