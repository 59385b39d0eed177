"""A complete checkpoint with random weights, in the real format, made in a second.

64x64 pictures, width 64, two layers: large enough to go through every part, small enough for tests
of the whole graph. Weights that begin as zero are made random, so that nothing is left out
silently.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.checkpoint import WEIGHTS
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig, MemoryConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig

SIDE = 64
"""Width and height of its pictures."""
TEXT_DIM = 128
LATENT_CHANNELS = 8
SIGMAS = (1.0, 0.9, 0.75, 0.5, 0.0)


def build_tiny_checkpoint(
    folder: Path, *, side: int = SIDE, memory: MemoryConfig | None = None,
    timing: BlockTiming | None = None,
) -> Path:  # fmt: skip
    """Write the checkpoint into `folder` and return it; the same weights every time.

    memory: with visual memory; all else is as without. timing: how long its blocks last.
    """
    torch.manual_seed(0)
    config = DiTConfig.tiny(
        dim=64, ffn_dim=128, num_layers=2, num_heads=2, audio_inject_layers=(0,), freq_dim=32,
        text_dim=TEXT_DIM, in_dim=LATENT_CHANNELS, out_dim=LATENT_CHANNELS,
        cond_dim=LATENT_CHANNELS, latent_shape=(LATENT_CHANNELS, side // 16, side // 16),
        timing=timing or BlockTiming(),
    )  # fmt: skip
    model = WanS2V(config)
    vae = TinyVAE(
        TinyVAEConfig(
            latent_channels=LATENT_CHANNELS,
            encoder_channels=(8, 8, 8, 16),
            decoder_channels=(16, 8, 8, 48),
            reference_channels=(8, 8, 8, 8),
            latents_mean=(0.0,) * LATENT_CHANNELS,
            latents_std=(1.0,) * LATENT_CHANNELS,
        )
    )
    for module in (model, vae):
        _wake(module)
    if memory is not None:
        _wake(model.add_memory(memory).memory_compressor)
    save_checkpoint(model, folder)
    text = TextEncoder.tiny(text_dim=TEXT_DIM, text_len=config.text_len)
    text.save(folder / "text_encoder")
    _save_vae(vae, folder / "vae")
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "reference.png")
    return folder


def _save_vae(vae: TinyVAE, folder: Path) -> None:
    folder.mkdir()
    vae.config.to_json(folder / "config.json")
    tensors = {name: tensor.contiguous() for name, tensor in vae.state_dict().items()}
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")


def _wake(module: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)


def write_tiny_profile(
    folder: Path,
    checkpoint: Path,
    *,
    denoisers: Sequence[Sequence[int]] = ((0, 1), (2, 3)),
    processes: str = "",
    side: int = SIDE,
) -> Path:
    """Write a float32 profile for such a checkpoint into `folder` and return its path.

    `denoisers` lists the steps of each denoiser; `processes` is what shares a process, in YAML.
    """
    placements = [{"steps": list(steps)} for steps in denoisers]
    profile = folder / "profile.yaml"
    profile.write_text(
        "extends: tiny\n"
        f"model: {{checkpoint: {checkpoint}, dtype: float32}}\n"
        f"video: {{width: {side}, height: {side}}}\n"
        f"placement: {{denoisers: {json.dumps(placements)}, processes: {{{processes}}}}}\n"
    )
    return profile


def save_checkpoint(model: WanS2V, folder: Path) -> None:
    """Write `config.json` and one safetensors file of the model's weights as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    text = json.dumps(model.config.to_dict(), indent=1)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
