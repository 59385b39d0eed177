"""What long memory holds of a long stream: banks that hold all, nothing, only faults, none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.key_frame_recall import (
    SCENE_BLOCKS,
    Scene,
    evaluate_key_frames,
    latent_frames,
    scenes,
)
from avatar_nodes.model.tiny_vae import TinyVAE, load_vae
from avatar_nodes.remembering.frame_features import PooledLatents
from avatar_nodes.remembering.key_frames import KeyFrameRules
from avatar_nodes.world.motion import SHOW

TINY_VAE = Path(__file__).parents[2] / "checkpoints/tiny/vae"


@pytest.fixture(scope="module")
def vae() -> TinyVAE:
    return load_vae(TINY_VAE).to(torch.bfloat16)


@pytest.fixture(scope="module")
def stream() -> list[Scene]:
    return list(scenes(5, 40, BlockTiming()))


def test_one_person_shows_things_of_which_about_half_return(stream: list[Scene]) -> None:
    assert len({scene.clip.spec.identity for scene in stream}) == 1
    seen: list[Any] = []
    for scene in stream:
        assert scene.again == (scene.thing in seen)
        assert not seen or scene.thing != seen[-1]  # it would still be in short memory
        seen.append(scene.thing)
    assert 12 <= sum(scene.again for scene in stream) <= 28


def test_a_thing_is_in_sight_only_while_it_is_shown(stream: list[Scene]) -> None:
    for scene in stream[:6]:
        shows = [action for action in scene.clip.spec.actions if action[0] == SHOW]
        assert shows == [(SHOW, scene.first, scene.first + 4)]
        visible = scene.clip.object_visible.reshape(SCENE_BLOCKS, -1).max(axis=1)
        assert visible[scene.first : scene.first + 4].max() == 1.0
        # the arm that brings it moves a little before the block and after the last
        assert not visible[: scene.first - 1].any()
        assert not visible[scene.first + 6 :].any()


def test_the_frames_of_a_scene_say_what_they_show(stream: list[Scene], vae: TinyVAE) -> None:
    rng = np.random.default_rng(0)
    blocks = list(
        latent_frames(stream[0], vae, PooledLatents(), rng, spoilt_share=0.0, first_block=40)
    )
    assert [frame.block for block in blocks for frame in block][::3] == list(range(40, 60))
    showing = [n for n, block in enumerate(blocks) if any(f.shows for f in block)]
    assert set(showing) <= set(range(stream[0].first, stream[0].first + 6))
    assert len(showing) >= 2
    assert {f.shows for block in blocks for f in block} == {None, stream[0].thing}


def test_banks_that_hold_all_nothing_only_faults(vae: TinyVAE) -> None:
    lines: list[str] = []
    rules = {
        "all": KeyFrameRules(10_000),
        "none": KeyFrameRules(0),
        "gated": KeyFrameRules(10_000, gate=0.3),
        "few": KeyFrameRules(2),
    }
    found = {
        share: evaluate_key_frames(
            rules, vae, PooledLatents(), people=1, minutes=0.48, spoilt_share=share, short=12,
            seed=0, tell=lines.append,
        )
        for share in (0.0, 1.0)
    }  # fmt: skip
    clean, faulty = found[0.0], found[1.0]
    assert clean["shown_again"] >= 1
    assert (clean["all"]["recall"], clean["none"]["recall"]) == (1.0, 0.0)
    assert clean["all"]["spoilt"] == 0.0
    assert clean["all"]["replaced_a_minute_last"] == 0.0
    assert clean["few"]["replaced_a_minute_first"] > 0.0
    # a fault is in no bank that looks for it, and is worth nothing in one that does not
    assert (faulty["all"]["spoilt"], faulty["all"]["recall"]) == (1.0, 0.0)
    assert faulty["gated"]["spoilt"] == 0.0
    assert lines == ["person 1/1: 3 scenes, 60 blocks"] * 2
