"""The teacher: what it learns from, what it leaves, and how it is sampled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from support.training_run import CONFIG, write_run

from avatar_nodes.clips.conditions import Conditions, no_sound
from avatar_nodes.clips.guidance import Guidance, guided_velocity, whole_velocity
from avatar_nodes.clips.teacher_sampler import sample_teacher, sample_teacher_clip
from avatar_nodes.model.checkpoint import CheckpointError, load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.stages.teacher import TeacherTraining, dropped, train_teacher
from avatar_nodes.training.transformer.talking_model import TalkingModel

WEIGHTS = "diffusion_pytorch_model.safetensors"
OPTIONS = TeacherTraining(
    steps=4, batch=2, blocks=2, warmup=2, compile=False, sample_every=99, learning_rate=1e-2
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"))


def _train(
    run: Path, folder: Path, options: TeacherTraining = OPTIONS, *, resume: bool = False,
    start: Path | None = None, config: DiTConfig = CONFIG,
) -> Path:  # fmt: skip
    train_teacher(
        options, config=config, clips=run / "encoded", folder=folder, vae=run / "vae" / "vae",
        resume=resume, text=run / "text" / "export", start=start,
    )  # fmt: skip
    return folder / "export"


@pytest.fixture
def model() -> WanS2V:
    torch.manual_seed(0)
    model = WanS2V(CONFIG).eval().requires_grad_(False)
    for parameter in model.parameters():
        if not parameter.any():
            parameter.normal_(std=0.2)
    return model


@pytest.fixture
def conditions() -> Conditions:
    torch.manual_seed(1)
    return Conditions(
        audio=torch.rand(2, 3, 1, 160, 17) * 2 - 1,
        states=torch.randn(3, 7, 16),
        prompt_index=torch.tensor([[0, 0, 1], [1, 0, 0]]),
        sink=torch.randn(2, 8, 1, 4, 4),
        sink_prompt=torch.tensor([0, 1]),
    )


def test_it_leaves_a_checkpoint_and_the_frozen_text_encoder(run: Path, tmp_path: Path) -> None:
    export = _train(run, tmp_path)
    assert load_checkpoint(export).config == CONFIG
    before = load_file(run / "text" / "export" / "model.safetensors")
    after = load_file(export / "text_encoder" / "model.safetensors")
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_resumed_training_gives_the_same_weights_bit_for_bit(run: Path, tmp_path: Path) -> None:
    whole = _train(run, tmp_path / "whole")
    cut = replace(OPTIONS, minutes=0.0)  # one step, then out of time
    for _ in range(OPTIONS.steps):
        export = _train(run, tmp_path / "cut", cut, resume=True)
    a, b = load_file(whole / WEIGHTS), load_file(export / WEIGHTS)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_it_starts_from_an_export_and_names_one_that_does_not_fit(
    run: Path, tmp_path: Path
) -> None:
    export = _train(run, tmp_path / "first")
    model = TalkingModel.build(CONFIG, text=run / "text" / "export", start=export)
    saved = load_checkpoint(export).state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in model.dit.state_dict().items())
    with pytest.raises(CheckpointError, match="does not fit"):
        _train(run, tmp_path / "second", start=export, config=replace(CONFIG, num_layers=1))


def test_the_loss_falls(run: Path, tmp_path: Path) -> None:
    _train(run, tmp_path, replace(OPTIONS, steps=40, sample_every=999, blocks=1))
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    losses = [float(line.split('"loss": ')[1].split(",")[0]) for line in lines]
    assert losses[-1] < 0.95 * losses[0]


def test_dropout_takes_sound_and_text_apart(run: Path) -> None:
    rng = np.random.default_rng(0)
    batch = EncodedClips(run / "encoded", "train").batch(rng, 400, 2)
    silence = no_sound(CONFIG)
    less = dropped(batch, rng, audio=0.1, text=0.1, silence=silence)
    mute = (less.audio == silence).flatten(1).all(dim=1)
    blank = (less.prompt_index == len(batch.prompts)).all(dim=1)
    assert 20 < mute.sum() < 62
    assert 20 < blank.sum() < 62
    assert (mute & blank).sum() < 12
    assert less.prompts[-1] == ""
    assert torch.equal(less.sink_prompt == len(batch.prompts), blank)
    assert torch.equal(less.audio[~mute], batch.audio[~mute])


def test_guidance_is_a_sum_of_what_each_condition_adds(
    model: WanS2V, conditions: Conditions
) -> None:
    x, sigma = torch.randn(2, 3, 8, 3, 4, 4), torch.tensor([0.4, 0.9])
    full = whole_velocity(model, x, sigma, conditions)
    mute = whole_velocity(model, x, sigma, conditions.without_audio(no_sound(CONFIG)))
    blank = whole_velocity(model, x, sigma, conditions.without_text())
    assert not torch.allclose(full, mute, atol=1e-3)
    assert not torch.allclose(full, blank, atol=1e-3)
    guided = guided_velocity(model, x, sigma, conditions, Guidance(audio=3.0, text=2.0))
    torch.testing.assert_close(guided, full + 2.0 * (full - mute) + (full - blank))
    neither = conditions.without_audio(no_sound(CONFIG)).without_text()
    joint = guided_velocity(model, x, sigma, conditions, Guidance(4.5, 4.5, joint=True))
    without = whole_velocity(model, x, sigma, neither)
    torch.testing.assert_close(joint, without + 4.5 * (full - without))
    for none in (Guidance(), Guidance(joint=True)):
        assert torch.equal(guided_velocity(model, x, sigma, conditions, none), full)
    with pytest.raises(ValueError, match="joint guidance has one scale"):
        Guidance(3.0, 2.0, joint=True)


def test_a_window_sees_both_directions_and_its_own_prompts(
    model: WanS2V, conditions: Conditions
) -> None:
    x, sigma = torch.randn(2, 3, 8, 3, 4, 4), torch.full((2,), 0.5)
    before = whole_velocity(model, x, sigma, conditions)
    changed = x.clone()
    changed[:, 2] += 1.0
    assert not torch.equal(whole_velocity(model, changed, sigma, conditions)[:, 0], before[:, 0])
    same = replace(conditions, prompt_index=torch.zeros(2, 3, dtype=torch.long))
    one = replace(conditions, prompt_index=torch.zeros(2, 1, dtype=torch.long))
    torch.testing.assert_close(
        whole_velocity(model, x, sigma, same), whole_velocity(model, x, sigma, one)
    )
    assert not torch.allclose(whole_velocity(model, x, sigma, same), before, atol=1e-3)


def test_sampling_follows_the_velocity_and_keeps_what_is_known(
    model: WanS2V, conditions: Conditions
) -> None:
    noise = torch.randn(2, 3, 8, 3, 4, 4)
    one_step = sample_teacher(model, conditions, noise, steps=1)
    by_hand = noise - whole_velocity(model, noise, torch.ones(2), conditions)
    torch.testing.assert_close(one_step, by_hand)
    known = torch.randn(2, 1, 8, 3, 4, 4)
    made = sample_teacher(model, conditions, noise, steps=3, known=known)
    assert torch.equal(made[:, :1], known)
    assert not torch.allclose(made[:, 1:], sample_teacher(model, conditions, noise, steps=3)[:, 1:])


def test_a_clip_is_sampled_window_after_window(model: WanS2V, conditions: Conditions) -> None:
    noise = torch.randn(2, 3, 8, 3, 4, 4)
    clip = sample_teacher_clip(model, conditions, noise, blocks=2, steps=2)
    first = sample_teacher(
        model,
        replace(
            conditions,
            audio=conditions.audio[:, :2],
            prompt_index=conditions.prompt_index[:, :2],
        ),
        noise[:, :2],
        steps=2,
    )
    assert clip.shape == noise.shape
    torch.testing.assert_close(clip[:, :2], first)
    with pytest.raises(ValueError, match="overlap"):
        sample_teacher_clip(model, conditions, noise, blocks=4)


def test_exported_weights_make_a_picture_of_a_clip(run: Path, tmp_path: Path) -> None:
    config = replace(CONFIG, latent_shape=(8, 16, 16))
    whole = write_run(tmp_path / "run", clips=1, config=config)
    options = replace(OPTIONS, steps=1, batch=1, sample_every=1, sample_steps=1)
    _train(whole, tmp_path / "teacher", options, config=config)
    assert (tmp_path / "teacher" / "samples" / "000001.png").stat().st_size > 1000
