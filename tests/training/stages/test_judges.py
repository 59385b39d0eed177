"""Training of the judges: data, losses by hand, that they learn, and that they resume."""

from __future__ import annotations

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from avatar_nodes.judging.judge_folder import JudgeFolder
from avatar_nodes.training.data.judge_clips import (
    UNSURE,
    JudgeClips,
    action_labels,
    judge_spec,
    read_portraits,
    similar_person,
    write_judge_clips,
    write_portraits,
)
from avatar_nodes.training.stages.judges import (
    JudgeTraining,
    degrade,
    identity_loss,
    sync_loss,
    train_judges,
)
from avatar_nodes.world import Identity
from avatar_nodes.world.clips import ClipSpec


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judges")
    for split in ("train", "val"):
        write_judge_clips(folder, count=2, blocks=4, split=split, seed=6)
        write_portraits(folder, count=3, split=split, seed=6)
    return folder


def test_labels_change_when_the_action_is_half_there() -> None:
    spec = ClipSpec(1, "train", 4, 5, (("wave", 1, 3),))
    labels = action_labels(spec)
    assert labels[:14].tolist() == [0] * 14
    assert labels[14:18].tolist() == [UNSURE] * 4
    assert labels[18:38].tolist() == [1] * 20
    assert labels[42:].tolist() == [0] * 6


def test_clips_are_full_of_actions_and_hold_what_judges_see(data: Path) -> None:
    spec = judge_spec(7, split="train", blocks=16)
    assert len(spec.actions) >= 4 and len({name for name, _, _ in spec.actions}) >= 4
    clip = JudgeClips.read(data, "train").clips[0]
    assert clip["mouths"].shape == (48, 40, 56, 3) and clip["columns"].shape == (48, 160)
    assert clip["bodies"].shape == clip["faces"].shape == (25, 64, 64, 3)  # the reference first
    assert clip["labels"].shape == (24,) and clip["labels"].max() > 0
    assert read_portraits(data, "train").shape == (3, 6, 96, 96, 3)
    with pytest.raises(FileNotFoundError, match="no test clips"):
        JudgeClips.read(data, "test")


def test_a_similar_person_differs_in_three_features() -> None:
    person = Identity.sample(3)
    other = similar_person(np.random.default_rng(0), person)
    differing = [n for n in vars(person) if getattr(person, n) != getattr(other, n)]
    assert len(differing) == 3
    assert replace(other, **{n: getattr(person, n) for n in differing}) == person


def test_sync_loss_by_hand() -> None:
    """One clip, two windows, cosines 1 on the diagonal and 0 beside: -log of a softmax."""
    vectors = torch.eye(2)[None]
    loss, matched = sync_loss(vectors, vectors, scale=2.0)
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-2.0)), rel=1e-5)
    assert matched == 1.0
    assert sync_loss(vectors, vectors.flip(1), scale=2.0)[1] == 0.0


def test_identity_loss_by_hand() -> None:
    """Two people, two equal pictures each, at right angles: of three others one is the same."""
    vectors = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    people = torch.tensor([0, 0, 1, 1])
    loss, within = identity_loss(vectors, people, scale=3.0)
    expected = math.log(math.exp(3.0) + 2.0) - 3.0
    assert float(loss) == pytest.approx(expected, rel=1e-5) and within == pytest.approx(1.0)
    mixed, _ = identity_loss(vectors, torch.tensor([0, 1, 0, 1]), scale=3.0)
    assert float(mixed) > expected + 2.0


def test_degraded_pictures_are_blurred_together_and_some_are_left() -> None:
    pictures = torch.rand(64, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    out = degrade(pictures, torch.Generator().manual_seed(1))
    changed = (out - pictures).abs().mean(dim=(1, 2, 3, 4))
    assert 0.1 < float((changed == 0).float().mean()) < 0.45
    edges = lambda x: float(x.diff(dim=-1).abs().mean())  # noqa: E731
    assert edges(out[changed > 0.2]) < 0.8 * edges(pictures[changed > 0.2])


def test_a_mouth_judge_learns_where_there_are_mouths(data: Path, tmp_path: Path) -> None:
    """Dark bars, as high as the mouth is open, anywhere in the view."""
    torch.set_num_threads(1)
    own = tmp_path / "data"
    shutil.copytree(data, own)
    for split in ("train", "val"):
        rng = np.random.default_rng(0)
        apertures = rng.random(24).astype(np.float32)
        views = np.full((24, 32, 40, 3), 180, np.uint8)
        for view, aperture in zip(views, apertures, strict=True):
            x, y = int(rng.integers(4, 20)), int(rng.integers(2, 14))
            view[y : y + round(16 * float(aperture)), x : x + 14] = 20
        shapes = np.stack([apertures, np.zeros_like(apertures)], axis=1)
        np.savez(own / f"mouths_{split}_00000.npz", views=views, shapes=shapes)
    options = JudgeTraining(
        sync_steps=1, identity_steps=1, action_steps=1, mouths=1, mouth_steps=40
    )  # fmt: skip
    figures = train_judges(options, data=own, folder=tmp_path / "run", resume=False)
    assert list(figures)[-1] == "mouth" and figures["mouth"]["aperture_corr"] > 0.5
    config = json.loads((tmp_path / "run" / "export" / "config.json").read_text())
    assert config["mouth"]["people_share"] == 1.0 and config["actions"]["people_share"] == 0.0


def test_training_stops_on_ctrl_c_and_resumes_bit_for_bit(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    options = JudgeTraining(sync_steps=2, identity_steps=4, action_steps=2)
    figures = train_judges(options, data=data, folder=tmp_path / "whole", resume=False)
    assert list(figures) == ["syncnet", "identity", "actions"]
    assert figures["identity"]["same"] > figures["identity"]["other"]
    assert 0.0 <= figures["actions"]["accuracy"] <= 1.0

    calls: list[int] = []

    def interrupted(*arguments: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 4:  # in the second step of the second judge
            signal.raise_signal(signal.SIGINT)
        return degrade(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("avatar_nodes.training.stages.judges.degrade", interrupted)
        half = train_judges(options, data=data, folder=tmp_path / "halves", resume=False)
    assert list(half) == ["syncnet"]
    assert train_judges(options, data=data, folder=tmp_path / "halves", resume=True) == figures
    for name in ("syncnet", "identity", "actions"):
        one, other = (
            (tmp_path / run / "export" / f"{name}.safetensors").read_bytes()
            for run in ("whole", "halves")
        )
        assert one == other
    folder = JudgeFolder(tmp_path / "halves" / "export")
    assert folder.actions().actions[0] == "rest" and folder.sync() and folder.identity()


def test_clips_without_speech_are_refused(data: Path) -> None:
    clips = JudgeClips.read(data, "train")
    silent = {**clips.clips[0], "aperture": np.zeros(48, np.float32)}
    with pytest.raises(FileNotFoundError, match="none of 1 clips"):
        JudgeClips((silent,)).speaking()
