"""The memory's trainer: its exercises, and from an export to one that remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.training_run import BLOCKS, CONFIG, SIGMAS, write_run
from torch import Tensor

from avatar_nodes.model.checkpoint import load_checkpoint, save_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.compressor_stage import (
    CompressorTraining,
    Exercise,
    RememberingModel,
    continuation,
    exercises,
    partial,
    reconstruction,
    train_compressor,
    unnamed,
)
from avatar_nodes.training.encoded import EncodedClips
from avatar_nodes.training.lora import LowRank
from avatar_nodes.training.run import TrainingRun

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


def _numbered(count: int = 12) -> Tensor:
    """Frames that tell their number."""
    return torch.arange(count).float().view(-1, 1, 1, 1).expand(count, 2, 4, 4).clone()


def _shown(frames: Tensor) -> list[int | None]:
    """The number of each frame; None for noise."""
    return [int(f[0, 0, 0]) if torch.equal(f, f[:1, :1, :1].expand_as(f)) else None for f in frames]


class TestExercises:
    options = replace(OPTIONS, memory=replace(MEMORY, short=6, long=4), blocks=5)

    def test_a_block_is_reconstructed_from_its_own_frames_or_an_anchor(self) -> None:
        rng = np.random.default_rng(0)
        inside = 0
        for _ in range(200):
            exercise = reconstruction(_numbered(15), self.options, rng)
            target = set(range(3 * exercise.first, 3 * exercise.first + 3))
            short, (anchor, *rest) = _shown(exercise.short), _shown(exercise.long)
            assert (len(short), rest) == (6, [None] * 3)
            assert anchor is not None and anchor not in target
            whole = {n for n in short if n is not None} & target
            inside += len(whole) == 3
            assert min(abs(anchor - n) for n in target) <= 1 + 6  # nearer ones are in short memory
        assert 40 < inside < 180

    def test_masking_leaves_the_share_that_is_kept(self) -> None:
        rng = np.random.default_rng(1)
        options = replace(self.options, kept_share=0.25)
        shown = [
            n is not None and n not in range(3 * made.first, 3 * made.first + 3)
            for made in (reconstruction(_numbered(15), options, rng) for _ in range(300))
            for n in _shown(made.short)
        ]
        assert 0.1 < np.mean(shown) < 0.25

    def test_a_continuation_has_the_history_of_the_stream(self) -> None:
        rng = np.random.default_rng(2)
        seen: set[int] = set()
        for _ in range(50):
            made = continuation(_numbered(15), self.options, rng)
            assert made.first == 4  # the last of five blocks
            assert _shown(made.short) == [3, 4, 5, 6, 7, 8]  # up to the second block before it
            long = [n for n in _shown(made.long) if n is not None]
            assert len(long) == 4 and long == sorted(long)
            seen |= set(long)
        assert seen == set(range(3))

    def test_a_stream_that_has_just_begun(self, run_folder: Path) -> None:
        data = EncodedClips(run_folder / "encoded", "train")
        batch = data.batch(np.random.default_rng(0), 2, BLOCKS)
        frames = batch.latents.transpose(2, 3).flatten(1, 2)
        streams = [continuation(f, OPTIONS, np.random.default_rng(0)) for f in frames]
        whole = exercises(batch, streams, 1)
        made = [partial(whole, np.random.default_rng(seed)) for seed in range(40)]
        sizes = {(less.long.shape[1], less.short.shape[1]) for less in made}
        assert sizes == {(0, 0), (0, MEMORY.short)}
        assert all(torch.equal(m.short, whole.short) for m in made if m.short.shape[1])

    def test_it_stands_for_what_memory_shows(self, run_folder: Path) -> None:
        """Blocks 0 and 2 of the clip show a ball, block 1 a cup."""
        ball, cup = "A person shows a red ball.", "A person shows a blue cup."
        data = EncodedClips(run_folder / "encoded", "train")
        batch = data.batch(np.random.default_rng(0), 2, 3)
        clip_prompts = torch.tensor([[0, 1, 0], [0, 1, 0]])
        batch = replace(batch, prompts=[ball, cup], prompt_index=clip_prompts)
        frames = batch.latents.transpose(2, 3).flatten(1, 2)
        streams = [
            Exercise(0, frames[0, :0], frames[0, :1], np.array([7])),  # a frame of block 2
            Exercise(0, frames[1, :0], frames[1, :1], np.array([4])),  # of block 1
        ]
        window = exercises(batch, streams, 3)
        rng = np.random.default_rng(0)
        made = unnamed(window, clip_prompts, streams, 1.0, rng)
        said = [[made.prompts[n] for n in row] for row in made.prompt_index.tolist()]
        it = "A person shows it."
        assert said == [[it, cup, it], [ball, it, ball]]
        assert unnamed(window, clip_prompts, streams, 0.0, rng).prompts == [ball, cup]

    def test_clips_must_be_long_enough(self) -> None:
        with pytest.raises(ValueError, match="blocks must be at least 9"):
            CompressorTraining(blocks=8, window=1, lag=4, memory=MemoryConfig(short=10))


def test_only_the_compressor_learns(run_folder: Path, tmp_path: Path) -> None:
    before = load_file(run_folder / "start" / WEIGHTS)
    after = _train(run_folder, tmp_path, OPTIONS)
    assert load_checkpoint(tmp_path / "export").config.memory == MEMORY
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
