"""The causal trainer from data to a checkpoint that streams, at the smallest size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.small_world import CONFIG, SIGMAS, write_small_world

from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.training.stages.causal import CausalTraining, train_causal

OPTIONS = CausalTraining(steps=4, batch=2, blocks=2, warmup=2, compile=False, sample_every=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_world(tmp_path_factory.mktemp("data"))


def _train(data: Path, folder: Path, options: CausalTraining, *, resume: bool = False) -> Path:
    train_causal(
        options, config=CONFIG, clips=data / "clips", folder=folder, sigmas=SIGMAS,
        vae=data / "vae", resume=resume,
    )  # fmt: skip
    return folder / "export"


def test_it_leaves_a_checkpoint_curves_and_a_sample_picture(data: Path, tmp_path: Path) -> None:
    export = _train(data, tmp_path, OPTIONS)
    assert load_checkpoint(export).config == CONFIG
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
