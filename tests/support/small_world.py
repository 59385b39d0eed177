"""Two clips of the tiny world, encoded by a small untrained autoencoder; a transformer to fit."""

from __future__ import annotations

from pathlib import Path

import torch

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.tiny_vae import TinyVAE
from avatar_nodes.model.tiny_vae_config import TinyVAEConfig
from avatar_nodes.training.data.encoding import write_encoded
from avatar_nodes.training.data.shards.build import build_shards
from avatar_nodes.training.data.shards.tiny_world import WorldData
from avatar_nodes.training.data.snippets import Snippets
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.stages.vae import export_vae

SIGMAS = (1.0, 0.5, 0.0)
VAE = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48)
)
CONFIG = DiTConfig.tiny(
    dim=32, num_heads=2, num_layers=2, ffn_dim=32, freq_dim=32, text_dim=16, in_dim=8, out_dim=8,
    audio_inject_layers=(0,), latent_shape=(8, 16, 16),
)  # fmt: skip


def write_small_world(folder: Path, timing: BlockTiming | None = None) -> Path:
    """Write `shards/`, `vae/` and `clips/` (two clips of four blocks); returns `folder`."""
    jobs = WorldData(train=2, val=0, test=0, blocks=4, seed=1).jobs(timing)
    build_shards(folder / "shards", jobs, processes=1, say=lambda _: None)
    torch.manual_seed(0)
    vae = TinyVAE(VAE)
    seen = Snippets.read(folder / "shards", count=2)
    export_vae(vae, ParameterAverage(vae, decay=0.9), folder / "vae", measured_on=seen)
    threads = torch.get_num_threads()
    write_encoded(
        folder / "clips", shards=folder / "shards", vae_folder=folder / "vae", split="train"
    )
    torch.set_num_threads(threads)
    return folder
