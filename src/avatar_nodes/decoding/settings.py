"""Settings of the decoder. Nothing here needs torch."""

from __future__ import annotations

from avatar_nodes.profile.section import DecoderStart, Device, DTypeName, ReferenceLatent
from avatar_nodes.profile.settings import NodeSettings, key


class DecoderSettings(NodeSettings):
    """The model that makes pictures of latents, their size, and the picture of the person."""

    checkpoint: str = key("model.checkpoint")
    light_decoder: str = key("model.light_decoder")
    motion_tokens: bool = key("model.motion_tokens")
    reference_latent: ReferenceLatent = key("model.reference_latent")
    decoder_start: DecoderStart = key("model.decoder_start")
    dtype: DTypeName = key("model.dtype")
    device: Device = key("placement.decoder.device")
    threads: int = key("placement.decoder.threads")
    reference: str = key("stream.reference")
    width: int = key("video.width")
    height: int = key("video.height")
