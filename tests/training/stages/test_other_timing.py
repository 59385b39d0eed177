"""From data to a checkpoint for a model of another frame rate and shorter blocks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.small_world import CONFIG, SIGMAS, write_small_world

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.checkpoint import load_checkpoint
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.shards.build import build_shards
from avatar_nodes.training.data.shards.clips import ShardClips, ShardError
from avatar_nodes.training.data.shards.tiny_world import WorldData
from avatar_nodes.training.recipe import read_recipe
from avatar_nodes.training.stages.causal import CausalTraining, train_causal

TIMING = BlockTiming(frame_rate=16, latents_per_block=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_world(tmp_path_factory.mktemp("data"), TIMING)


def test_shards_know_how_long_their_blocks_are(data: Path) -> None:
    clip = next(iter(ShardClips(data / "shards", "train")))
    assert clip.timing == TIMING
    assert len(clip.frames()) == 4 * 8 and len(clip.sound) == 4 * 8000
    assert np.array_equal(clip.frames([1, 3]), clip.frames()[[*range(8, 16), *range(24, 32)]])


def test_shards_of_another_timing_are_of_another_plan(data: Path) -> None:
    jobs = WorldData(train=2, val=0, test=0, blocks=4, seed=1).jobs()
    with pytest.raises(ShardError, match="was made with timing"):
        build_shards(data / "shards", jobs, processes=1, say=lambda _: None)


def test_windows_have_the_blocks_of_the_clips(data: Path) -> None:
    batch = EncodedClips(data / "clips", "train").batch(np.random.default_rng(0), 3, 2)
    assert batch.latents.shape == (3, 2, 8, 2, 16, 16)
    assert batch.audio.shape == (3, 2, 1, 160, 13)
    assert batch.mouth.shape == batch.motion.shape == (3, 2, 1, 2, 16, 16)


def test_a_checkpoint_says_how_long_its_blocks_are(data: Path, tmp_path: Path) -> None:
    options = CausalTraining(steps=2, batch=2, blocks=2, warmup=1, compile=False, sample_every=2)
    config = replace(CONFIG, timing=TIMING)
    train_causal(
        options, config=config, clips=data / "clips", folder=tmp_path, sigmas=SIGMAS,
        vae=data / "vae", resume=False,
    )  # fmt: skip
    assert load_checkpoint(tmp_path / "export").config.timing == TIMING
    assert BlockTiming.read(tmp_path / "export") == TIMING
    assert (tmp_path / "samples" / "000002.png").stat().st_size > 1000


def test_a_recipe_states_the_timing_of_the_model_that_it_makes(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("timing: {frame_rate: 16, latents_per_block: 2}\n")
    assert read_recipe(recipe).architecture.timing == TIMING
    assert read_recipe(None).architecture.timing == BlockTiming()
