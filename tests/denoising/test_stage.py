"""Stages: the same bits however the steps are split, wherever the stream's index begins."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import pairwise

import pytest
import torch
from support.streams import (
    AUDIO,
    LATENT,
    conditioning,
    epoch_start,
    flow_match,
    prompt,
    random_tensor,
    reference,
    run,
)
from torch import Tensor

from avatar_nodes.block.block import BlockContext, Sink
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.stage import Stage, StageError
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.model.dit import WanS2V

SCHEDULE = flow_match(4)
FOUR = ([0], [1], [2], [3])
TWO = ([0, 1], [2, 3])
ONE = ([0, 1, 2, 3],)
MIXED = ([0], [1, 2], [3])


def _stages(model: WanS2V, split: Sequence[Sequence[int]]) -> list[Stage]:
    return [Stage(model, SCHEDULE, steps) for steps in split]


def _stream(stages: list[Stage], blocks: int, start: int = 0) -> list[Tensor]:
    """A stream with a change of prompt at its block 2 and its own sink from block 1 on."""
    for stage in stages:
        stage.start_epoch(epoch_start(1, start, stream_start=start))
        stage.set_prompt(prompt("wave"))
    latents = []
    for n in range(blocks):
        block = conditioning(
            start + n, start=start, prompt_id="wave" if n >= 2 else "talk", sink_version=int(n >= 1)
        )
        latents.append(run(stages, block))
        if n == 0:
            for stage in stages:
                stage.set_sink(Sink(1, latents[0][:, :1].clone(), "talk", 1))
    return latents


@pytest.fixture(scope="module")
def expected(served_model: WanS2V) -> list[Tensor]:
    return _stream(_stages(served_model, ONE), 6)


def _assert_equal(latents: list[Tensor], expected: list[Tensor]) -> None:
    assert len(latents) == len(expected)
    for latent, other in zip(latents, expected, strict=True):
        assert latent.dtype == torch.float32 and latent.shape == LATENT
        assert torch.equal(latent, other)


@pytest.mark.parametrize("split", [FOUR, TWO, MIXED])
def test_the_split_into_stages_changes_no_bit(
    served_model: WanS2V, expected: list[Tensor], split: Sequence[Sequence[int]]
) -> None:
    _assert_equal(_stream(_stages(served_model, split), 6), expected)


def test_blocks_differ(expected: list[Tensor]) -> None:
    assert all(not torch.equal(a, b) for a, b in pairwise(expected))
    assert all(torch.isfinite(latent).all() for latent in expected)


def test_a_second_run_of_the_same_stages_is_the_same(
    served_model: WanS2V, expected: list[Tensor]
) -> None:
    stages = _stages(served_model, TWO)
    _stream(stages, 4)
    for stage in stages:
        stage.start_epoch(epoch_start(2))
    again = [run(stages, conditioning(n, epoch=2)) for n in range(2)]
    assert torch.equal(again[0], expected[0])
    assert not torch.equal(again[1], expected[1])  # the reference is its sink, not the stream's own


def test_block_10_does_not_know_where_the_stream_began(served_model: WanS2V) -> None:
    early = _stream(_stages(served_model, TWO), 11)
    late = _stream(_stages(served_model, TWO), 11, start=10_000_000)
    _assert_equal(late, early)


def test_only_the_window_is_remembered(served_model: WanS2V) -> None:
    """With the same last blocks, what came long ago reaches a block only through them."""
    stage = Stage(served_model, Schedule([1.0, 0.0]), [0], past_blocks=0)
    stage.start_epoch(epoch_start())
    alone = [stage.process(conditioning(n)) for n in range(3)][2]
    stage.start_epoch(epoch_start(2, 2))
    assert torch.equal(stage.process(conditioning(2, epoch=2)), alone)


def test_a_prompt_is_encoded_once(served_model: WanS2V, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"text": 0, "sink": 0}
    encode_text, prefill_sink = served_model.encode_text, served_model.prefill_sink

    def counted_text(states: Tensor) -> object:
        calls["text"] += 1
        return encode_text(states)

    def counted_sink(*arguments: object) -> object:
        calls["sink"] += 1
        return prefill_sink(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(served_model, "encode_text", counted_text)
    monkeypatch.setattr(served_model, "prefill_sink", counted_sink)
    stages = _stages(served_model, ONE)
    _stream(stages, 5)
    assert calls == {"text": 2, "sink": 2}
    stages[0].set_prompt(prompt("wave"))
    run(stages, conditioning(5, prompt_id="wave"))
    assert calls["text"] == 2


def test_the_own_sink_takes_over(served_model: WanS2V) -> None:
    stages = _stages(served_model, ONE)
    own = Sink(1, random_tensor(5, (4, 1, 8, 8)), "talk", 1)
    for version in (0, 1):
        for stage in stages:
            stage.start_epoch(epoch_start(1 + version))
            stage.set_sink(own)
        second = [
            run(stages, conditioning(n, epoch=1 + version, sink_version=version * n))
            for n in (0, 1)
        ][1]
        if version == 0:
            kept = second
    assert not torch.equal(second, kept)


def test_a_sink_without_a_prompt_takes_the_blocks(served_model: WanS2V) -> None:
    latents = []
    for named in ("talk", ""):
        stages = _stages(served_model, ONE)
        stages[0].start_epoch(epoch_start(sink=reference(named)))
        latents.append(run(stages, conditioning(0)))
    assert torch.equal(*latents)


def _context(latents: list[Tensor], blocks: Sequence[int]) -> tuple[BlockContext, ...]:
    return tuple(
        BlockContext(n, "talk", random_tensor(1000 + n, AUDIO), latents[n]) for n in blocks
    )


@pytest.mark.parametrize("split", [FOUR, TWO])
def test_an_epoch_rebuilds_the_window(served_model: WanS2V, split: Sequence[Sequence[int]]) -> None:
    """After a fault the stream goes on from clean latents: near what it would have been, not at its
    start.
    """
    stages = _stages(served_model, ONE)
    stages[0].start_epoch(epoch_start())
    unbroken = [run(stages, conditioning(n)) for n in range(5)]
    starts = {
        "rebuilt": epoch_start(2, 4, context=_context(unbroken, (2, 3))),
        "empty": epoch_start(2, 4),
    }
    outcomes = {}
    for name, start in starts.items():
        fresh = _stages(served_model, split)
        for stage in fresh:
            stage.start_epoch(start)
        outcomes[name] = run(fresh, conditioning(4, epoch=2))
    distance = {name: float((x - unbroken[4]).norm()) for name, x in outcomes.items()}
    assert 0 < distance["rebuilt"] < 0.5 * distance["empty"]


def test_rebuilding_does_not_depend_on_the_split(served_model: WanS2V) -> None:
    latents = [random_tensor(n, LATENT) for n in range(4)]
    start = epoch_start(3, 4, context=_context(latents, (2, 3)))
    outcomes = []
    for split in (FOUR, TWO, ONE, MIXED):
        stages = _stages(served_model, split)
        for stage in stages:
            stage.start_epoch(start)
        outcomes.append(run(stages, conditioning(4, epoch=3)))
    assert all(torch.equal(outcome, outcomes[0]) for outcome in outcomes)


def test_refusals_leave_the_stage_as_it_was(served_model: WanS2V, expected: list[Tensor]) -> None:
    stage = Stage(served_model, SCHEDULE, [0, 1, 2, 3])
    with pytest.raises(LeftoverError, match="epoch 1 was not started"):
        stage.process(conditioning(0))
    stage.start_epoch(epoch_start())
    refused = {
        "expected block 0": conditioning(1),
        "epoch 9 was not started": conditioning(0, epoch=9),
        "prompt 'dance' is not known": conditioning(0, prompt_id="dance"),
        "sink version 4 is not known": conditioning(0, sink_version=4),
        "audio is": conditioning(0, audio=torch.zeros(1, 6, 16)),
    }
    for words, block in refused.items():
        with pytest.raises(RefusedError, match=words):
            stage.process(block)
    assert torch.equal(stage.process(conditioning(0)), expected[0])


def test_a_later_stage_needs_a_latent_of_the_right_shape(served_model: WanS2V) -> None:
    stage = Stage(served_model, SCHEDULE, [2, 3])
    stage.start_epoch(epoch_start())
    with pytest.raises(RefusedError, match="needs a latent"):
        stage.process(conditioning(0))
    with pytest.raises(RefusedError, match="latent is"):
        stage.process(conditioning(0), torch.zeros(4, 3, 8, 7))


def test_a_context_needs_its_sink(served_model: WanS2V) -> None:
    stage = Stage(served_model, SCHEDULE, [0])
    start = epoch_start(2, 1, context=_context([torch.zeros(LATENT)], (0,)))
    with pytest.raises(RefusedError, match="needs its sink"):
        stage.start_epoch(dataclasses.replace(start, sink=None))


@pytest.mark.parametrize("steps", [[], [1, 3], [3, 4], [-1], [1, 0]])
def test_impossible_steps(served_model: WanS2V, steps: list[int]) -> None:
    with pytest.raises(StageError, match="step"):
        Stage(served_model, SCHEDULE, steps)


def test_many_prompts_do_not_pile_up(served_model: WanS2V) -> None:
    stage = Stage(served_model, SCHEDULE, [0])
    stage.start_epoch(epoch_start())
    for n in range(100):
        stage.set_prompt(prompt(f"prompt{n}"[:8]))
    with pytest.raises(RefusedError, match="'talk' is not known"):
        stage.process(conditioning(0))
