"""What lies where in a checkpoint folder as Wan2.2-S2V is published (docs/weights.md)."""

from __future__ import annotations

from pathlib import Path

TEXT_ENCODER = "models_t5_umt5-xxl-enc-bf16.pth"
TOKENIZER = "google/umt5-xxl/tokenizer.json"
VIDEO_VAE = "Wan2.1_VAE.pth"
AUDIO_MODEL = "wav2vec2-large-xlsr-53-english"
SPATIAL_STRIDE = 8
"""Pixels, down and across, that a cell of Wan's latents stands for."""


def is_published_wan(folder: Path | str) -> bool:
    """Whether the folder is of the published kind; our own has `vae/` and `text_encoder/`."""
    published = (TEXT_ENCODER, VIDEO_VAE, AUDIO_MODEL)
    return any((Path(folder) / name).exists() for name in published)
