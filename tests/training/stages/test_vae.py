"""Training of the autoencoder: its loss by hand, a run that goes on, smooth latents."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.tiny_vae import TinyVAE, load_vae
from avatar_nodes.training.data.shards.build import build_shards
from avatar_nodes.training.data.shards.clips import ShardClips
from avatar_nodes.training.data.shards.tiny_world import WorldData
from avatar_nodes.training.data.snippets import Snippets
from avatar_nodes.training.export_quality import reconstruction_quality
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.stages.vae import (
    VAETraining,
    latent_noise,
    psnr,
    reconstruction_loss,
    shrunk,
    train_vae,
)

SHORT = VAETraining(steps=2, batch=1, crop=32, snippets=2)
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    plan = WorldData(train=1, val=0, test=0, blocks=2, seed=4, clips_per_shard=1)
    build_shards(folder, plan.jobs(), processes=1, say=lambda line: None)
    return folder


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vae")
    train_vae(SHORT, shards=shards, folder=folder, resume=False)
    return folder / "vae"


def test_the_loss_of_a_single_wrong_pixel() -> None:
    target = torch.zeros(1, 2, 3, 4, 4)
    output = target.clone()
    output[0, 1, :, 1, 1] = 0.5
    parts = reconstruction_loss(output, target, torch.ones(1, 2, 1, 4, 4))
    assert parts["pixel"].item() == pytest.approx(0.5 / 32)
    assert parts["square"].item() == pytest.approx(0.25 / 32)
    # of 24 differences along either axis and of 16 in time, two and one are off
    assert parts["edge"].item() == pytest.approx(0.5 * 2 * (2 * 0.5 / 24))
    assert parts["motion"].item() == pytest.approx(0.5 / 16)


def test_psnr_of_a_known_error() -> None:
    target = torch.zeros(1, 1, 3, 8, 8)
    assert psnr(target + 0.2, target) == pytest.approx(20.0)


def test_an_interrupted_run_ends_with_the_same_weights(
    shards: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "log", lambda run, values: os.kill(os.getpid(), signal.SIGINT))
        train_vae(SHORT, shards=shards, folder=tmp_path, resume=False)
    assert not (tmp_path / "vae").exists()
    assert torch.load(tmp_path / "state.pt")["run"]["step"] == 1
    train_vae(SHORT, shards=shards, folder=tmp_path, resume=True)
    whole, cut = load_file(trained / WEIGHTS), load_file(tmp_path / "vae" / WEIGHTS)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_noise_is_another_every_step_and_the_same_after_a_resumption() -> None:
    z = torch.zeros(4, 3, 2, 8, 8)
    first, again, other = (latent_noise(z, 0.1, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    strengths = first.flatten(1).std(dim=1)
    assert strengths.max() < 0.11 and strengths.unique().numel() == 4


def test_an_export_is_measured_on_people_it_has_not_seen(trained: Path, tmp_path: Path) -> None:
    """The figure is that of the pictures themselves, as the evaluation has it."""
    plan = WorldData(train=0, val=0, test=1, blocks=2, seed=4, clips_per_shard=1)
    build_shards(tmp_path, plan.jobs(), processes=1, say=lambda line: None)
    found = reconstruction_quality(trained, tmp_path, blocks=1)
    truth = next(iter(ShardClips(tmp_path, "test"))).frames([0])
    vae = load_vae(trained)
    with torch.no_grad():
        frames = torch.from_numpy(truth).permute(0, 3, 1, 2).div(127.5).sub(1.0)[None]
        made, _ = vae.decode(vae.encode(frames))
    assert found["vae_psnr"] == pytest.approx(psnr(made, frames), abs=0.5)
    assert 0.0 < found["vae_ssim"] < 1.0
    with pytest.raises(FileNotFoundError, match="no val shards"):
        reconstruction_quality(trained, tmp_path, split="val")


def test_what_is_shrunk_is_averaged() -> None:
    assert shrunk(torch.rand(2, 4, 3, 64, 64), 48).shape == (2, 4, 3, 48, 48)
    chequered = torch.tensor([1.0, -1.0]).repeat(32).expand(1, 1, 1, 64, 64)
    assert shrunk(chequered, 16)[..., 2:-2].abs().max() < 0.05, "it has no aliases"
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 1, 64, 64)
    inner = shrunk(ramp, 32)[0, 0, 0, 5, 2:-2]
    torch.testing.assert_close(inner, ramp[0, 0, 0, 0].view(32, 2).mean(dim=1)[2:-2])


def test_smaller_latents_learn_the_smaller_pictures(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int]] = []
    decode = TinyVAE.decode

    def noting(self: TinyVAE, z: torch.Tensor, *state: Any, pictures: torch.Tensor) -> Any:
        assert pictures.shape[-2:] == (16 * z.shape[-2], 16 * z.shape[-1])
        frames, kept = decode(self, z, *state, pictures=pictures)
        seen.append((z.shape[-1], frames.shape[-1]))
        return frames, kept

    monkeypatch.setattr(TinyVAE, "decode", noting)
    options = replace(SHORT, crop=64, shrunk_share=1.0, steps=4)
    train_vae(options, shards=shards, folder=tmp_path, resume=False)
    assert all(pixels == 16 * cells for cells, pixels in seen)
    assert {cells for cells, _ in seen} <= {1, 2, 3} and len(seen) == 4
    assert load_vae(tmp_path / "vae").config.latents_mean


def test_latents_of_the_training_data_have_mean_0_and_deviation_1(
    shards: Path, trained: Path, tmp_path: Path
) -> None:
    """Also when the training went on from an export that had its own statistics."""
    train_vae(SHORT, shards=shards, folder=tmp_path, resume=False, start=trained)
    data = Snippets.read(shards, count=2)
    for export in (trained, tmp_path / "vae"):
        vae = load_vae(export)
        with torch.no_grad():
            z = torch.cat([vae.encode(data.whole(i)[0]) for i in range(2)]).flatten(0, 1)
        assert z.mean(dim=(0, 2, 3)).abs().max() < 0.1
        assert (z.std(dim=(0, 2, 3)) - 1).abs().max() < 0.1


LOOKING = replace(SHORT, reference_channels=(8, 8, 8, 8), keep_encoder=True)


def test_a_decoder_learns_to_look_at_the_reference_for_the_latents_that_are_there(
    shards: Path, trained: Path, tmp_path: Path
) -> None:
    train_vae(LOOKING, shards=shards, folder=tmp_path, resume=False, start=trained)
    before, after = load_vae(trained), load_vae(tmp_path / "vae")
    assert after.looks_at_reference and not before.looks_at_reference
    assert replace(after.config, reference_channels=()) == before.config
    kept = before.encoder.state_dict()
    assert all(torch.equal(kept[name], x) for name, x in after.encoder.state_dict().items())
    assert after.decoder.get_parameter("flow_out.bias").any(), "it has learnt"
    found = reconstruction_quality(tmp_path / "vae", shards, split="train", blocks=1)
    assert found["vae_psnr"] > 5.0


def test_another_way_of_looking_is_refused(shards: Path, trained: Path, tmp_path: Path) -> None:
    train_vae(LOOKING, shards=shards, folder=tmp_path, resume=False, start=trained)
    other = replace(LOOKING, reference_channels=(8, 8, 8, 16))
    with pytest.raises(CheckpointError, match=r"has reference_channels \[8, 8, 8, 8\]"):
        train_vae(
            other, shards=shards, folder=tmp_path / "other", resume=False, start=tmp_path / "vae"
        )
    with pytest.raises(ValueError, match="set it to 0"):
        replace(LOOKING, shrunk_share=0.4)
