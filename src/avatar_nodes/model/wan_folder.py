"""Names the files of a checkpoint folder as Wan2.2-S2V is published (docs/weights.md)."""

from __future__ import annotations

import json
from pathlib import Path

TEXT_ENCODER = "models_t5_umt5-xxl-enc-bf16.pth"
TOKENIZER = "google/umt5-xxl/tokenizer.json"
VIDEO_VAE = "Wan2.1_VAE.pth"
AUDIO_MODEL = "wav2vec2-large-xlsr-53-english"
SPATIAL_STRIDE = 8
"""Pixels, down and across, that a cell of Wan's latents stands for."""


def is_published_wan(folder: Path | str) -> bool:
    """Whether the folder is of the published kind: its `config.json` does not say for what pictures
    the model is, as that of our own checkpoints does.
    """
    try:
        values = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and "latent_shape" not in values
