"""Names of topics that the graph's description needs as well, which knows no ROS."""

from __future__ import annotations

AUDIO_IN = "audio_in"
"""Sound that comes in, unless another topic is named."""

LATENT_IN = "latent_in"
"""What a denoiser, or the decoder, calls the topic of the latents that it takes."""

LATENT_OUT = "latent_out"
"""What a denoiser calls the topic of the latents that it makes."""

LATENT_CLEAN = "blocks/latent_clean"
"""Latents of the last denoiser."""


def latent(number: int) -> str:
    """The topic of the latents that denoiser `number` (from 1) hands to the next."""
    return f"blocks/latent_{number}"
