"""How well an exported autoencoder shows people it has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from avatar_nodes.judging.image_quality import psnr, ssim
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.training.shards import ShardClips


@torch.no_grad()
def reconstruction_quality(
    vae: Path, shards: Path, *, split: str = "test", blocks: int = 4
) -> dict[str, float]:
    """`vae_psnr` in dB and `vae_ssim` of a split's clips, the first `blocks` blocks of each.

    vae: the export's folder. Raises CheckpointError if it cannot be loaded, ShardError if there
    are no such clips.
    """
    model = load_vae(vae)
    found = []
    for clip in ShardClips(shards, split):
        truth = clip.frames(range(min(blocks, clip.blocks)))
        pixels = torch.from_numpy(truth).permute(0, 3, 1, 2).div(127.5).sub(1.0)
        output, _ = model.decode(model.encode(pixels.unsqueeze(0)))
        made = output[0].add(1.0).mul(127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1)
        found.append((psnr(made.numpy(), truth), ssim(made.numpy(), truth)))
    return dict(zip(("vae_psnr", "vae_ssim"), np.mean(found, axis=0).tolist(), strict=True))
