"""Settings of the decoder. Nothing here needs torch."""

from __future__ import annotations

from avatar_nodes.profile.section import Device, DTypeName
from avatar_nodes.profile.settings import NodeSettings, key


class DecoderSettings(NodeSettings):
    """The model that makes pictures of latents, their size, and the picture of the person."""

    checkpoint: str = key("model.checkpoint")
    light_decoder: str = key("model.light_decoder")
    dtype: DTypeName = key("model.dtype")
    device: Device = key("placement.decoder.device")
    threads: int = key("placement.decoder.threads")
    reference: str = key("stream.reference")
    width: int = key("video.width")
    height: int = key("video.height")
