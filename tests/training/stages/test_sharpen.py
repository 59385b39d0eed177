"""The decoder trained on: what it is shown, what stays as it was, a run that goes on."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.small_world import CONFIG, SIGMAS, write_small_world

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.model.tiny_vae import load_vae
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.flow.estimates import estimated_blocks
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.stages.causal import CausalTraining, train_causal
from avatar_nodes.training.stages.sharpen import SharpenTraining, train_sharpen
from avatar_nodes.training.transformer.talking_model import TalkingModel

OPTIONS = SharpenTraining(steps=2, batch=2, snippets=4)
WEIGHTS = "diffusion_pytorch_model.safetensors"
EVERY_BLOCK = [(clip, block) for clip in range(2) for block in range(4)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a causal model of two steps."""
    folder = write_small_world(tmp_path_factory.mktemp("run"))
    train_causal(
        CausalTraining(steps=2, batch=2, blocks=2, compile=False, sample_every=0), config=CONFIG,
        clips=folder / "clips", folder=folder / "causal", sigmas=SIGMAS, vae=folder / "vae",
        resume=False,
    )  # fmt: skip
    return folder


def _sharpen(
    run: Path, folder: Path, options: SharpenTraining, *, resume: bool = False,
    start: Path | None = None,
) -> Path:  # fmt: skip
    train_sharpen(
        options, shards=run / "shards", clips=run / "clips", folder=folder, vae=run / "vae",
        denoiser=run / "causal" / "export", sigmas=SIGMAS, resume=resume,
        start=start,
    )  # fmt: skip
    return folder / "vae"


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_decoder_alone_changes(run: Path, tmp_path: Path, share: float) -> None:
    before = load_vae(run / "vae")
    after = load_vae(_sharpen(run, tmp_path, replace(OPTIONS, estimate_share=share)))
    assert after.config == before.config
    encoder = before.encoder.to(torch.bfloat16).state_dict()
    assert all(torch.equal(encoder[k], v) for k, v in after.encoder.bfloat16().state_dict().items())
    decoder = before.decoder.state_dict()
    assert any(not torch.equal(decoder[k], v) for k, v in after.decoder.state_dict().items())


def test_a_decoder_can_go_on_from_where_an_earlier_run_left_it(run: Path, tmp_path: Path) -> None:
    earlier = _sharpen(run, tmp_path / "earlier", OPTIONS)
    still = replace(OPTIONS, learning_rate=0.0)
    unmoved = _sharpen(run, tmp_path / "unmoved", still, start=earlier)
    before, after = load_file(earlier / WEIGHTS), load_file(unmoved / WEIGHTS)
    assert all(torch.equal(before[name], after[name]) for name in before)
    first = load_file(run / "vae" / WEIGHTS)
    assert any(not torch.equal(before[name], first[name]) for name in before)


def test_a_decoder_of_other_latents_is_refused(run: Path, tmp_path: Path) -> None:
    vae = load_vae(run / "vae")
    other = tmp_path / "other"
    shutil.copytree(run / "vae", other)
    with torch.no_grad():
        next(vae.encoder.parameters()).add_(1.0)
    save_file({k: v.contiguous() for k, v in vae.state_dict().items()}, other / WEIGHTS)
    with pytest.raises(CheckpointError, match="encoder"):
        _sharpen(run, tmp_path / "out", OPTIONS, start=other)


def test_clips_that_were_not_encoded_are_left_out(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "clips").mkdir(parents=True)
    for part in ("shards", "vae", "causal"):
        (tmp_path / "run" / part).symlink_to(run / part)
    encoded = sorted((run / "clips").glob("train_*.npz"))
    assert len(encoded) > 1
    for path in (*encoded[1:], *(run / "clips").glob("*.json")):
        (tmp_path / "run" / "clips" / path.name).symlink_to(path)
    assert (_sharpen(tmp_path / "run", tmp_path / "out", OPTIONS) / WEIGHTS).exists()


def test_an_interrupted_run_ends_with_the_same_weights(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = load_file(_sharpen(run, tmp_path / "whole", OPTIONS) / WEIGHTS)
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "log", lambda run, values: os.kill(os.getpid(), signal.SIGINT))
        _sharpen(run, tmp_path / "cut", OPTIONS)
    assert not (tmp_path / "cut" / "vae").exists()
    cut = load_file(_sharpen(run, tmp_path / "cut", OPTIONS, resume=True) / WEIGHTS)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_without_estimates_no_transformer_is_needed(run: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for part in ("shards", "clips", "vae"):
        (tmp_path / "run" / part).symlink_to(run / part)
    _sharpen(tmp_path / "run", tmp_path / "a", replace(OPTIONS, estimate_share=0.0))
    with pytest.raises(CheckpointError, match="causal"):
        _sharpen(tmp_path / "run", tmp_path / "b", OPTIONS)


class _Knowing(torch.nn.Module):
    """Takes every window for the truth: its velocity leads there from any level."""

    def forward(self, window, x, sigma):  # type: ignore[no-untyped-def]
        return (x - window.latents) / sigma.view(*sigma.shape, 1, 1, 1, 1)


def test_the_estimates_of_one_who_knows_are_the_blocks_themselves(run: Path) -> None:
    clips = EncodedClips(run / "clips", "train")
    made = estimated_blocks(_Knowing(), clips, EVERY_BLOCK, sigmas=(1.0, 0.7, 0.3, 0.0), seed=0)  # type: ignore[arg-type]
    for estimate, (clip, block) in zip(made, EVERY_BLOCK, strict=True):
        truth = clips.clips[clip]["latents"][block * 3 : block * 3 + 3].swapaxes(0, 1)
        np.testing.assert_allclose(estimate.numpy(), truth, atol=4e-3)


def test_estimates_are_the_same_every_time(run: Path) -> None:
    clips = EncodedClips(run / "clips", "train")
    model = TalkingModel.load(run / "causal" / "export").eval()
    first, again, other = (
        estimated_blocks(model, clips, EVERY_BLOCK, sigmas=SIGMAS, seed=seed) for seed in (3, 3, 4)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
