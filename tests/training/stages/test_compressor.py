"""The memory's trainer: from an export to one that remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.tiny_checkpoint import save_checkpoint
from support.training_run import BLOCKS, CONFIG, SIGMAS, write_run
from torch import Tensor

from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.memory_exercises import RememberingBatch
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.stages.compressor import (
    CompressorTraining,
    RememberingModel,
    _CompressorStage,
    train_compressor,
)
from avatar_nodes.training.transformer.lora import LowRank

WEIGHTS = "diffusion_pytorch_model.safetensors"
MEMORY = MemoryConfig(short=3, long=2, hidden=8, heads=2)
OPTIONS = CompressorTraining(
    steps=3,
    batch=2,
    blocks=BLOCKS,
    window=1,
    lag=2,
    warmup=1,
    sample_every=99,
    memory=MEMORY,
    compile=False,
)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips, and an export whose head is awake, so that what it sees makes a difference."""
    folder = write_run(tmp_path_factory.mktemp("run"))
    torch.manual_seed(0)
    model = WanS2V(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    save_checkpoint(model.to(torch.bfloat16), folder / "start")
    text = TextEncoder.load(folder / "text" / "export", text_len=CONFIG.text_len)
    text.save(folder / "start" / "text_encoder")
    return folder


def _train(
    run_folder: Path, folder: Path, options: CompressorTraining, start: Path | None = None,
    resume: bool = False,
) -> dict[str, Tensor]:  # fmt: skip
    train_compressor(
        options, start=start or run_folder / "start", clips=run_folder / "encoded", folder=folder,
        sigmas=SIGMAS, vae=run_folder / "vae" / "vae", resume=resume,
    )  # fmt: skip
    return load_file(folder / "export" / WEIGHTS)


def test_clips_must_be_long_enough() -> None:
    with pytest.raises(ValueError, match="blocks must be at least 9"):
        CompressorTraining(blocks=8, window=1, lag=4, memory=MemoryConfig(short=10))
    with pytest.raises(ValueError, match=r"above 1 together: 0\.7 \+ 0\.4"):
        CompressorTraining(reconstruct_share=0.7, recall_share=0.4)


@pytest.mark.parametrize("kind", ["recall_share", "reconstruct_share", "neither"])
def test_every_exercise_makes_a_batch_of_one_shape(run_folder: Path, kind: str) -> None:
    shares = {"recall_share": 0.0, "reconstruct_share": 0.0, "partial_share": 0.0}
    shares |= {kind: 1.0} if kind in shares else {}
    stage = _CompressorStage(replace(OPTIONS, **shares), SIGMAS, run_folder)  # type: ignore[arg-type]
    clips = EncodedClips(run_folder / "encoded", "train")
    for seed in range(5):
        batch, sigma = stage.draw(clips, np.random.default_rng(seed))
        assert isinstance(batch, RememberingBatch)
        assert batch.latents.shape[:2] == sigma.shape == (2, OPTIONS.window)
        assert batch.long.shape[:2] == (2, MEMORY.long)
        assert batch.short.shape[:2] == (2, MEMORY.short)


@pytest.mark.parametrize("partial_share", [0.25, 1.0])
def test_only_the_compressor_learns(run_folder: Path, tmp_path: Path, partial_share: float) -> None:
    before = load_file(run_folder / "start" / WEIGHTS)
    after = _train(run_folder, tmp_path, replace(OPTIONS, partial_share=partial_share))
    assert load_checkpoint(tmp_path / "export").config.memory == replace(MEMORY, lag=OPTIONS.lag)
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    added = {name for name in after if name not in before}
    assert added and all(name.startswith("memory_compressor.") for name in added)
    assert after["memory_compressor.gate"].any()


@pytest.mark.parametrize(
    "changes",
    [{"train_transformer": True}, {"lora": LowRank(2, 4)}],
    ids=["all weights", "adapters"],
)
def test_the_transformer_may_learn_along(
    run_folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    before = load_file(run_folder / "start" / WEIGHTS)
    options = replace(OPTIONS, learning_rate=0.01, **changes)  # type: ignore[arg-type]
    after = _train(run_folder, tmp_path, options)
    name = "blocks.0.self_attn.q.weight"
    assert before.keys() < after.keys() and not torch.equal(after[name], before[name])


def test_training_goes_on_from_an_export_that_remembers(run_folder: Path, tmp_path: Path) -> None:
    first = _train(run_folder, tmp_path / "first", OPTIONS)
    second = _train(run_folder, tmp_path / "second", OPTIONS, start=tmp_path / "first" / "export")
    assert first.keys() == second.keys()
    name = "memory_compressor.coarse.weight"
    assert not torch.equal(first[name], second[name])
    other = replace(OPTIONS, memory=replace(MEMORY, hidden=16))
    with pytest.raises(ValueError, match="has another memory"):
        RememberingModel.begin(tmp_path / "first" / "export", other)


def test_another_memory_makes_way_for_a_new_one(run_folder: Path, tmp_path: Path) -> None:
    """Where it may: the same kind goes on from what it has learnt."""
    first = _train(run_folder, tmp_path, OPTIONS)
    name = "memory_compressor.gate"
    kept = RememberingModel.begin(tmp_path / "export", OPTIONS, renew=True)
    assert torch.equal(kept.dit.memory_compressor.gate, first[name].float())
    finer = replace(OPTIONS, memory=replace(MEMORY, cells=2))
    renewed = RememberingModel.begin(tmp_path / "export", finer, renew=True)
    assert renewed.dit.config.memory == replace(finer.memory, lag=OPTIONS.lag)
    assert first[name].any() and not renewed.dit.memory_compressor.gate.any()
    assert renewed.dit.memory_compressor.gate.requires_grad
    assert not renewed.dit.patch_embedding.weight.requires_grad


def test_resumed_training_gives_the_same_weights_bit_for_bit(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _train(run_folder, tmp_path / "whole", OPTIONS)
    log = TrainingRun.log

    def interrupted(run: TrainingRun, values: Mapping[str, float]) -> None:
        log(run, values)
        run._stop = True  # as Ctrl-C does

    monkeypatch.setattr(TrainingRun, "log", interrupted)
    for _ in range(OPTIONS.steps):
        cut = _train(run_folder, tmp_path / "cut", OPTIONS, resume=True)
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
