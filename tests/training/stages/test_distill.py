"""The distillation stage: what moves, what does not, resuming, adapters, divergence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.tiny_checkpoint import save_checkpoint
from support.training_run import CONFIG, SIGMAS, write_run
from torch import nn

from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.loop.noise import Noise
from avatar_nodes.training.loop.run import TrainingDivergedError
from avatar_nodes.training.stages.distill import Distillation, DistillTraining, train_distill
from avatar_nodes.training.transformer.lora import LowRank

WEIGHTS = "diffusion_pytorch_model.safetensors"
OPTIONS = DistillTraining(
    steps=4, batch=2, blocks=3, fake_updates=2, warmup=1, compile=False, sample_every=99,
    learning_rate=1e-3, fake_learning_rate=1e-3, history_noise=0.05,
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose teacher and causal stages have left random weights."""
    folder = write_run(tmp_path_factory.mktemp("run"))
    text = TextEncoder.load(folder / "text" / "export", text_len=CONFIG.text_len)
    for number, stage in enumerate(("teacher", "causal")):
        torch.manual_seed(number)
        model = WanS2V(CONFIG)
        with torch.no_grad():
            model.head.head.weight.normal_(std=0.05)
        save_checkpoint(model, folder / stage / "export")
        text.save(folder / stage / "export" / "text_encoder")
    return folder


def _train(
    run: Path, folder: Path, options: DistillTraining = OPTIONS, *, resume: bool = False
) -> Path:
    train_distill(
        options, clips=run / "encoded", folder=folder, teacher=run / "teacher" / "export",
        student=run / "causal" / "export", sigmas=SIGMAS, vae=run / "vae" / "vae", resume=resume,
    )  # fmt: skip
    return folder / "export"


def _distillation(run: Path, options: DistillTraining = OPTIONS) -> Distillation:
    return Distillation(
        options, teacher=run / "teacher" / "export", student=run / "causal" / "export",
        sigmas=SIGMAS,
    )  # fmt: skip


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def _moved(before: dict[str, torch.Tensor], model: nn.Module) -> set[str]:
    return {name for name, value in model.named_parameters() if not value.equal(before[name])}


def test_resumed_distillation_gives_the_same_weights_bit_for_bit(run: Path, tmp_path: Path) -> None:
    whole = _train(run, tmp_path / "whole")
    cut = replace(OPTIONS, minutes=0.0)  # one step, then out of time
    for _ in range(OPTIONS.steps):
        export = _train(run, tmp_path / "cut", cut, resume=True)
    a, b = load_file(whole / WEIGHTS), load_file(export / WEIGHTS)
    assert load_checkpoint(whole).config == CONFIG
    assert all(torch.equal(a[key], b[key]) for key in a)
    saved = [torch.load(tmp_path / name / "state.pt") for name in ("whole", "cut")]
    for part in ("generator", "fake", "average"):
        first, second = (blob[part] for blob in saved)
        assert all(torch.equal(first[key], second[key]) for key in first)
    begun = load_file(run / "causal" / "export" / WEIGHTS)
    assert not torch.equal(a["head.head.weight"].float(), begun["head.head.weight"])


def test_each_update_moves_its_own_model_only(run: Path) -> None:
    work = _distillation(run)
    batch = EncodedClips(run / "encoded", "train").batch(np.random.default_rng(0), 2, 3)
    models = {"generator": work.generator, "fake": work.fake, "real": work.real}
    noise, rng = Noise(0), np.random.default_rng(0)
    before = {name: _weights(model) for name, model in models.items()}
    work.update_fake(work.make(batch, rng, noise), rng, noise, 1.0)
    assert _moved(before["fake"], work.fake)
    assert not _moved(before["generator"], work.generator)
    before = {name: _weights(model) for name, model in models.items()}
    figures = work.update_generator(work.make(batch, rng, noise), rng, noise, 1.0)
    assert any("self_attn.q" in name for name in _moved(before["generator"], work.generator))
    assert not _moved(before["fake"], work.fake)
    assert not _moved(before["real"], work.real)
    assert figures["grad"] > 0


def test_the_fake_score_may_learn_the_same_windows_again(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[torch.Tensor] = []
    learnt: list[torch.Tensor] = []
    make, update = Distillation.make, Distillation.update_fake

    def making(self: Distillation, *arguments: Any) -> Any:
        result = make(self, *arguments)
        made.append(result.rollout.estimates)
        return result

    def updating(self: Distillation, windows: Any, *arguments: Any) -> Any:
        learnt.append(windows.rollout.estimates)
        return update(self, windows, *arguments)

    monkeypatch.setattr(Distillation, "make", making)
    monkeypatch.setattr(Distillation, "update_fake", updating)
    _train(run, tmp_path, replace(OPTIONS, steps=1, fake_updates=5, fake_rollouts=2))
    assert len(made) == 2
    assert [[clean is one for one in made].index(True) for clean in learnt] == [0, 1, 0, 1, 0]
    with pytest.raises(ValueError, match=r"fake_rollouts must be 1\.\.5"):
        replace(OPTIONS, fake_updates=5, fake_rollouts=6)


def test_windows_leave_at_the_exits_that_are_wanted(run: Path) -> None:
    work = _distillation(run, replace(OPTIONS, exit_weights=(0.0, 1.0, 3.0)))
    exits = work._exits(np.random.default_rng(0), 4000)
    assert np.bincount(exits, minlength=3) / 4000 == pytest.approx([0, 0.25, 0.75], abs=0.03)
    with pytest.raises(ValueError, match="exit_weights: expected 3, one a step, got 4"):
        _distillation(run, replace(OPTIONS, exit_weights=(1.0, 1.0, 1.0, 1.0)))
    with pytest.raises(ValueError, match="not all 0"):
        replace(OPTIONS, exit_weights=(0.0, 0.0, 0.0, 0.0))


def test_the_generator_waits_for_the_fake_score(run: Path, tmp_path: Path) -> None:
    begun = load_file(run / "causal" / "export" / WEIGHTS)
    waiting = _train(run, tmp_path, replace(OPTIONS, steps=5, fake_first=5))  # five are a line
    after = load_file(waiting / WEIGHTS)
    assert all(torch.equal(after[name], begun[name].bfloat16()) for name in begun)
    lines = (tmp_path / "log.jsonl").read_text()
    assert '"fake"' in lines and '"distance"' not in lines


def test_rollouts_learn_from_the_truth_alone(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a weight of the scores none is asked or trained, and windows come nearer to clips."""
    options = replace(
        OPTIONS, steps=40, matching_weight=0.0, truth_weight=1.0, learning_rate=3e-3, warmup=1,
        exit_weights=(0.0, 0.0, 1.0),
    )  # fmt: skip
    monkeypatch.setattr(Distillation, "_match", None)
    monkeypatch.setattr(Distillation, "update_fake", None)
    _train(run, tmp_path, options)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    distances = [line["from_truth"] for line in log if "from_truth" in line]
    assert np.mean(distances[-4:]) < 0.9 * distances[0]


@pytest.mark.parametrize("lead", [0, 2])
def test_both_algorithms_take_the_same_step(run: Path, lead: int) -> None:
    batch = EncodedClips(run / "encoded", "train").batch(np.random.default_rng(0), 2, 3)
    norms = []
    for block_by_block in (False, True):
        options = replace(OPTIONS, blocks=3 - lead, lead_blocks=lead)
        work = _distillation(run, replace(options, block_by_block=block_by_block))
        with torch.no_grad():
            work.fake.dit.head.head.bias.fill_(0.5)  # scores that differ by more than rounding
        noise, rng = Noise(0), np.random.default_rng(0)
        made = work.make(batch, rng, noise)
        norms.append(work.update_generator(made, rng, noise, 1.0)["grad"])
    assert norms[0] == pytest.approx(norms[1], rel=0.03)  # bfloat16


def test_adapters_alone_are_trained_and_leave_merged_weights(run: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=2, lora=LowRank(rank=4, alpha=8))
    export = _train(run, tmp_path, options)
    before, after = load_file(run / "causal" / "export" / WEIGHTS), load_file(export / WEIGHTS)
    assert before.keys() == after.keys()
    changed = {key for key in before if not torch.equal(before[key].bfloat16(), after[key])}
    assert {"blocks.0.self_attn.q.weight", "blocks.1.ffn.2.weight"} <= changed
    parts = (".self_attn.", ".cross_attn.", ".ffn.", ".injector.")
    assert all(any(part in key for part in parts) and "norm" not in key for key in changed)
    state = torch.load(tmp_path / "state.pt")
    assert all(".lora_" in name for name in state["average"])


def test_a_nan_ends_the_run_and_the_last_good_state_stays(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _train(run, tmp_path, replace(OPTIONS, steps=1))
    good = (tmp_path / "state.pt").read_bytes()
    whole = EncodedClips.batch

    def broken(self: EncodedClips, *arguments: object, **named: object) -> object:
        batch = whole(self, *arguments, **named)  # type: ignore[arg-type]
        return replace(batch, audio=batch.audio * float("nan"))

    monkeypatch.setattr(EncodedClips, "batch", broken)
    with pytest.raises(TrainingDivergedError, match=r"became nan at step 1; .*state\.pt"):
        _train(run, tmp_path, OPTIONS, resume=True)
    assert (tmp_path / "state.pt").read_bytes() == good


def test_regression_on_data_is_added_when_asked(run: Path) -> None:
    batch = EncodedClips(run / "encoded", "train").batch(np.random.default_rng(0), 2, 3)
    work = _distillation(run, replace(OPTIONS, regression_weight=0.5))
    noise, rng = Noise(0), np.random.default_rng(0)
    figures = work.update_generator(work.make(batch, rng, noise), rng, noise, 1.0)
    assert 0.5 < figures["regression"] < 10.0


def test_compiled_layers_serve_all_three_models(run: Path) -> None:
    """Gradients on and off, moving and frozen weights: no more variants than may be compiled."""
    torch._dynamo.reset()
    batch = EncodedClips(run / "encoded", "train").batch(np.random.default_rng(0), 2, 3)
    work = _distillation(run)
    work.compile("eager")
    rng, noise = np.random.default_rng(0), Noise(0)
    work.update_fake(work.make(batch, rng, noise), rng, noise, 1.0)
    figures = work.update_generator(work.make(batch, rng, noise), rng, noise, 1.0)
    assert figures["grad"] > 0
    torch._dynamo.reset()


def test_guidance_leads_away_from_the_negative_prompt(run: Path) -> None:
    joint = replace(OPTIONS, guidance="joint", audio_guidance=4.5, text_guidance=4.5)
    work = _distillation(run, replace(joint, negative_prompt="blurred and still"))
    batch = EncodedClips(run / "encoded", "train").batch(np.random.default_rng(0), 2, 3)
    away = work._real_conditions(batch).without_text()
    wanted = work.real.states(["blurred and still"])[0]
    for index in (*away.prompt_index.flatten(), *away.sink_prompt):
        assert torch.equal(away.states[index][: len(wanted)], wanted)
    assert work._guidance.joint
    with pytest.raises(ValueError, match="joint guidance has one scale"):
        replace(joint, text_guidance=2.0)
