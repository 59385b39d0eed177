"""Builds the video decoder from its settings."""

from __future__ import annotations

from pathlib import Path

from avatar_nodes.decoding.decoder import StreamingDecoder, TinyStreamingDecoder
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.model.device import DTYPES, AssemblyError, checked_device
from avatar_nodes.model.read_config import read_config
from avatar_nodes.model.wan_folder import VIDEO_VAE, is_published_wan


def build_decoder(settings: DecoderSettings, *, drawn_alone: bool = False) -> StreamingDecoder:
    """The video decoder of a checkpoint. A light one is for published weights only.

    drawn_alone: see `TinyStreamingDecoder`; nothing to other decoders.

    Raises:
        CheckpointError, AssemblyError: what does not fit, in one line.
    """
    checkpoint, light = settings.checkpoint, settings.light_decoder
    if is_published_wan(checkpoint):
        return _wan_decoder(settings)
    if light:
        raise AssemblyError(f"{checkpoint}: a light decoder ({light}) is for Wan's latents only")
    if settings.motion_tokens or settings.reference_latent != "first":
        raise AssemblyError(
            f"{checkpoint}: motion_tokens and another reference_latent than the first are for Wan's"
            " latents only"
        )
    from avatar_nodes.model.tiny_vae import load_vae

    vae = load_vae(Path(checkpoint) / "vae")
    stride = vae.config.spatial_stride
    _, rows, columns = read_config(checkpoint).latent_shape
    width, height = columns * stride, rows * stride
    scale = max(1, settings.width // width) if vae.looks_at_reference else 1
    if (scale * width, scale * height) != (settings.width, settings.height):
        larger = " or a whole number of times larger ones" if vae.looks_at_reference else ""
        raise AssemblyError(
            f"{checkpoint}: makes {width}x{height} pictures{larger},"
            f" the profile asks for {settings.width}x{settings.height}"
        )
    if vae.looks_at_reference:
        import cv2  # it has threads of its own beside torch's

        cv2.setNumThreads(settings.threads)
    return TinyStreamingDecoder(
        vae, device=checked_device(settings.device), dtype=DTYPES[settings.dtype], scale=scale,
        drawn_alone=drawn_alone,
    )  # fmt: skip


def _wan_decoder(settings: DecoderSettings) -> StreamingDecoder:
    from avatar_nodes.decoding.wan_decoder import WanStreamingDecoder
    from avatar_nodes.model.light_decoder import load_light_decoder
    from avatar_nodes.model.wan_vae import load_wan_vae  # diffusers: seconds

    folder, dtype = Path(settings.checkpoint), DTYPES[settings.dtype]
    device, small = checked_device(settings.device), None
    if settings.light_decoder:
        small = load_light_decoder(folder / settings.light_decoder, dtype=dtype, device=device)
    vae = load_wan_vae(folder / VIDEO_VAE, dtype=dtype, device=device, decodes=small is None)
    return WanStreamingDecoder(
        vae, small, motion_tokens=settings.motion_tokens,
        reference_latent=settings.reference_latent, decoder_start=settings.decoder_start,
    )  # fmt: skip
