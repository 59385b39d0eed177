"""Where a block sees the sink: as far as the public system draws it, and the same every time."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.streams import SEED, conditioning, epoch_start, flow_match, run

from avatar_nodes.block.noise import block_noise
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.seen_places import SeenPlaces
from avatar_nodes.denoising.stage import Stage, StageError
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V

DRAWN = SeenPlaces(farthest=30, latents_per_block=3, nearest=4)


def test_the_distance_is_drawn_anew_for_each_pass() -> None:
    """From 4 to 30, all alike, and never before the sink's own place in the stream."""
    drawn = [DRAWN.at(SEED, block, step).sink for block in range(10, 1010) for step in range(4)]
    assert set(drawn) == set(range(4, 31))
    expected = len(drawn) / 27
    assert all(abs(n - expected) < 5 * expected**0.5 for n in Counter(drawn).values())
    for block in range(10):
        sinks = {DRAWN.at(SEED, block, step).sink for step in range(200)}
        assert min(sinks) == max(4, 30 - 3 * block) and max(sinks) == 30


def test_it_is_a_function_of_seed_block_and_step() -> None:
    assert DRAWN.at(1, 50, 2) == DRAWN.at(1, 50, 2)
    other = [DRAWN.at(*where).sink for where in ((1, 50, 3), (1, 51, 2), (2, 50, 2), (3, 9, 9))]
    assert len({DRAWN.at(1, 50, 2).sink, *other}) > 1
    assert DRAWN.at(2**64 - 1, 2**63, 0).passed == 3 * 2**63


def test_it_takes_nothing_from_the_noise() -> None:
    """Other numbers of the same key: the noise of a block begins with none of them."""
    noise = block_noise(1, 50, (8,)).numpy()
    bits = np.random.Philox(key=np.array([1, 50], np.uint64), counter=[0, 0, 0, 1])
    assert not np.isin(noise, np.random.Generator(bits).standard_normal(8, np.float32)).any()


def test_not_drawn() -> None:
    fixed = SeenPlaces(farthest=30, latents_per_block=3)
    assert {fixed.at(1, block, 0).sink for block in range(20)} == {30}
    behind = SeenPlaces(farthest=30, latents_per_block=3, rolling=False)
    assert behind.at(1, 12, 0) == Places(-6, 36)


def _stages(model: WanS2V, parts: list[list[int]], **options: int) -> list[Stage]:
    schedule = Schedule(flow_match(4).sigmas)
    stages = [Stage(model, schedule, steps, **options) for steps in parts]
    for stage in stages:
        stage.start_epoch(epoch_start())
    return stages


def test_however_the_steps_are_split(served_model: WanS2V) -> None:
    whole = _stages(served_model, [[0, 1, 2, 3]], nearest_sink=4)
    split = _stages(served_model, [[0], [1, 2], [3]], nearest_sink=4)
    fixed = _stages(served_model, [[0, 1, 2, 3]])
    for n in range(4):
        made = run(whole, conditioning(n))
        assert (made == run(split, conditioning(n))).all()
        differs = bool((made != run(fixed, conditioning(n))).any())
        assert differs == (n > 0), "a stream's first block has the sink in its own place"


def test_what_no_stage_can_have(served_model: WanS2V) -> None:
    schedule = Schedule(flow_match(4).sigmas)
    with pytest.raises(StageError, match=r"nearest_sink must be 0\.\.30, got 31"):
        Stage(served_model, schedule, [0], nearest_sink=31)
    with pytest.raises(StageError, match="no frame packer"):
        Stage(served_model, schedule, [0], motion_tokens=True)
