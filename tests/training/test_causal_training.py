"""The causal trainer from data to a checkpoint that streams, at the smallest size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.tiny_vae import TinyVAE, TinyVAEConfig
from avatar_nodes.training.causal import CausalTraining, train_causal
from avatar_nodes.training.encoded import write_encoded
from avatar_nodes.training.shards_build import build_shards
from avatar_nodes.training.shards_world import WorldData
from avatar_nodes.training.vae import ParameterAverage, export_vae

SIGMAS = (1.0, 0.5, 0.0)
SMALL_VAE = TinyVAEConfig(
    latent_channels=8, encoder_channels=(16, 16, 16, 32), decoder_channels=(32, 16, 16, 48)
)
SMALL = DiTConfig.tiny(
    dim=32, num_heads=2, num_layers=2, ffn_dim=32, freq_dim=32, text_dim=16, in_dim=8, out_dim=8,
    audio_inject_layers=(0,), latent_shape=(8, 16, 16),
)  # fmt: skip
OPTIONS = CausalTraining(steps=4, batch=2, blocks=2, warmup=2, compile=False, sample_every=4)


class _Pictures:
    """Random pictures to measure the latents' statistics on."""

    def spread(self, count: int) -> list[int]:
        return [0, 1]

    def whole(self, index: int) -> tuple[torch.Tensor, None]:
        generator = torch.Generator().manual_seed(index)
        return torch.rand(1, 4, 3, 32, 32, generator=generator) * 2 - 1, None


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    torch.manual_seed(0)
    vae = TinyVAE(SMALL_VAE)
    export_vae(vae, ParameterAverage(vae, decay=0.9), _Pictures(), folder / "vae", measure=True)  # type: ignore[arg-type]
    threads = torch.get_num_threads()
    jobs = WorldData(train=2, val=0, test=0, blocks=4, seed=1).jobs()
    build_shards(folder / "shards", jobs, processes=1, say=lambda _: None)
    write_encoded(
        folder / "clips", shards=folder / "shards", vae_folder=folder / "vae", split="train"
    )
    torch.set_num_threads(threads)
    return folder


def _train(data: Path, folder: Path, options: CausalTraining, *, resume: bool = False) -> Path:
    train_causal(
        options, config=SMALL, clips=data / "clips", folder=folder, sigmas=SIGMAS,
        vae=data / "vae", resume=resume,
    )  # fmt: skip
    return folder / "export"


def test_it_leaves_a_checkpoint_curves_and_a_sample_picture(data: Path, tmp_path: Path) -> None:
    export = _train(data, tmp_path, OPTIONS)
    assert load_checkpoint(export).config == SMALL
    assert (tmp_path / "samples" / "000004.png").stat().st_size > 1000
    assert list((tmp_path / "curves").glob("events*"))


def test_resumed_training_gives_the_same_weights_bit_for_bit(data: Path, tmp_path: Path) -> None:
    # what differs between the two is only where the run was cut: same plan, same learning rates
    whole = _train(data, tmp_path / "whole", replace(OPTIONS, sample_every=99))
    cut = replace(OPTIONS, sample_every=99, minutes=0.0)  # one step, then out of time
    for _ in range(OPTIONS.steps):
        export = _train(data, tmp_path / "cut", cut, resume=True)
    name = "diffusion_pytorch_model.safetensors"
    a, b = load_file(whole / name), load_file(export / name)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)
