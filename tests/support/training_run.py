"""A run folder with random clips, a text encoder and an autoencoder, for tests of trainers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

SIGMAS = (1.0, 0.9, 0.5, 0.0)
CONFIG = DiTConfig.tiny(
    dim=32, num_heads=2, num_layers=2, ffn_dim=32, freq_dim=32, text_dim=16, in_dim=8, out_dim=8,
    audio_dim=160, audio_inject_layers=(0,), latent_shape=(8, 4, 4), past_blocks=2,
)  # fmt: skip
VAE = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48)
)
BLOCKS = 4
PROMPTS = ("A person talks calmly.", "A person waves hello.")


def write_run(folder: Path, *, clips: int = 3, config: DiTConfig = CONFIG) -> Path:
    """Write `encoded/` (random latents, sound), `text/export`, `vae/vae`; returns `folder`."""
    rng = np.random.default_rng(5)
    channels, rows, columns = config.latent_shape
    frames, times = 3 * BLOCKS, 12 * BLOCKS
    (folder / "encoded").mkdir(parents=True)
    for number in range(clips):
        still = rng.standard_normal((1, channels, rows, columns))
        moving = still + 0.5 * rng.standard_normal((frames, channels, rows, columns))
        lines = [PROMPTS[block * 2 // BLOCKS] for block in range(BLOCKS)]
        np.savez(
            folder / "encoded" / f"train_{number:05d}.npz",
            latents=moving.astype(np.float16),
            mouth=rng.random((frames, rows, columns)) < 0.2,
            reference=still.astype(np.float16),
            columns=rng.uniform(-1, 1, (1, config.audio_dim, times + 5)).astype(np.float16),
            prompts=np.array(json.dumps(lines)),
            aperture=rng.random(times).astype(np.float32),
            box=np.array([0, 0, 8, 8], np.int16),
        )
    torch.manual_seed(0)
    text = TextEncoder.tiny(text_dim=config.text_dim, text_len=config.text_len)
    text.save(folder / "text" / "export")
    vae = folder / "vae" / "vae"
    vae.mkdir(parents=True)
    VAE.to_json(vae / "config.json")
    weights = {name: value.contiguous() for name, value in TinyVAE(VAE).state_dict().items()}
    save_file(weights, vae / "diffusion_pytorch_model.safetensors")
    return folder
