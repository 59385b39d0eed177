"""The papers' ablations as switches of a stage and a pipeline: each changes its own part alone.

`_written_out` is Live Avatar's Algorithm 3 in its simplest form; stages are held to it bit by bit.
"""

from __future__ import annotations

from itertools import combinations, product

import pytest
import torch
from support.streams import (
    AUDIO,
    LATENT,
    SEED,
    conditioning,
    epoch_start,
    flow_match,
    prompt,
    random_tensor,
    reference,
    run,
)
from torch import Tensor
from torch.testing import assert_close

from avatar_nodes.block.block import BlockContext, Sink
from avatar_nodes.block.noise import block_noise
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.seen_places import SeenPlaces
from avatar_nodes.denoising.stage import KVCacheKind, Stage, StageError
from avatar_nodes.model.causal import Places
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.model.rope import RopeTable, grid_positions, rope_table

BLOCKS, WINDOW, SINK_POSITION = 5, 2, 30
FOUR = (1.0, 0.9, 0.75, 0.5, 0.0)


@torch.inference_mode()
def _written_out(
    model: WanS2V, sigmas: tuple[float, ...] = FOUR, *, adaptive: bool = True,
    rolling: bool = True, clean: bool = False,
) -> list[Tensor]:  # fmt: skip
    text = model.encode_text(prompt("talk").states[None])
    sink = model.prefill_sink(reference().latent[None], text)
    past: list[list[BlockKV]] = [[] for _ in sigmas]  # the last one: t = 0
    latents = []
    for n in range(BLOCKS):
        sound = random_tensor(1000 + n, AUDIO)[None]
        where = SINK_POSITION if rolling else SINK_POSITION - 3 * n
        x = block_noise(SEED, n, LATENT)
        for step, sigma in enumerate(sigmas):
            last = step == len(sigmas) - 1
            if last and not clean:
                break
            seen = past[-1 if clean else step][-WINDOW:]
            t = torch.tensor([1000 * sigma])
            rope = model.key_rope(x, len(seen), Places(where), motion=False)
            velocity, kv = model.forward_block(x[None], t, sound, text, sink, seen, key_rope=rope)
            past[step].append(kv)
            x = x if last else x + velocity[0] * (sigmas[step + 1] - sigma)
        latents.append(x)
        if n == 0 and adaptive:
            sink = model.prefill_sink(x[None, :, :1], text)
    return latents


def _stage(
    model: WanS2V, sigmas: tuple[float, ...] = FOUR, *, rolling: bool = True, clean: bool = False
) -> Stage:
    kind: KVCacheKind = "clean" if clean else "same_noise"
    steps = range(len(sigmas) - 1)
    return Stage(model, Schedule(sigmas), steps, rolling_rope=rolling, kv_cache=kind)


def _stream(
    stages: list[Stage], *, adaptive: bool = True, start: int = 0, blocks: int = BLOCKS
) -> list[Tensor]:
    for stage in stages:
        stage.start_epoch(epoch_start(1, start, stream_start=start))
    latents = []
    for n in range(blocks):
        version = int(adaptive and n > 0)
        latents.append(run(stages, conditioning(start + n, start=start, sink_version=version)))
        if n == 0:
            for stage in stages:
                stage.set_sink(Sink(1, latents[0][:, :1].clone(), "talk", 1))
    return latents


def _same(latents: list[Tensor], others: list[Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(latents, others, strict=True)]


@pytest.mark.parametrize(("adaptive", "rolling", "clean"), product([True, False], repeat=3))
def test_every_combination_is_what_the_paper_says(
    served_model: WanS2V, adaptive: bool, rolling: bool, clean: bool
) -> None:
    expected = _written_out(served_model, adaptive=adaptive, rolling=rolling, clean=clean)
    stage = _stage(served_model, rolling=rolling, clean=clean)
    latents = _stream([stage], adaptive=adaptive)
    for latent, other in zip(latents, expected, strict=True):
        assert_close(latent, other, atol=1e-5, rtol=0)


def test_without_a_switch_it_is_algorithm_3(served_model: WanS2V) -> None:
    """The defaults, spelt out or not, and split over stages."""
    stages = [Stage(served_model, Schedule(FOUR), steps) for steps in ([0, 1], [2, 3])]
    default = _stream(stages)
    assert all(_same(default, _stream([_stage(served_model)])))
    for latent, other in zip(default, _written_out(served_model), strict=True):
        assert_close(latent, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("switch", ["adaptive", "rolling", "clean"])
def test_a_switch_acts_from_the_second_block_on(served_model: WanS2V, switch: str) -> None:
    on = switch == "clean"
    stage = _stage(served_model, **({} if switch == "adaptive" else {switch: on}))
    latents = _stream([stage], adaptive=switch != "adaptive")
    default = _stream([_stage(served_model)])
    apart = [float((a - b).abs().max()) for a, b in zip(latents, default, strict=True)]
    assert apart[0] == 0
    assert min(apart[1:]) > 1e-3


@pytest.mark.parametrize("rolling", [True, False])
def test_the_split_changes_no_bit(served_model: WanS2V, rolling: bool) -> None:
    schedule = Schedule(FOUR)
    stages = [Stage(served_model, schedule, [s], rolling_rope=rolling) for s in range(4)]
    assert all(_same(_stream(stages), _stream([_stage(served_model, rolling=rolling)])))


class _AbsoluteRope:
    """Positions counted from the stream's start, written out: the window of its block `block`."""

    def __init__(self, head_dim: int, block: int) -> None:
        def table(times: list[int]) -> RopeTable:
            return rope_table(grid_positions(times, 4, 4), head_dim)

        times = [[f + 3 * n for f in range(3)] for n in range(block - WINDOW, block + 1)]
        self.at_distance = [table(times[-1])]
        self._keys = table([SINK_POSITION, *(f for frames in times for f in frames)])

    def keys_from(self, places: Places, past: int, *, motion: bool) -> RopeTable:
        return self._keys


@pytest.mark.parametrize("block", [2, 10, 11, 400])
@torch.inference_mode()
def test_a_sink_left_behind_is_absolute_positions(
    served_model: WanS2V, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = served_model
    text = model.encode_text(prompt("talk").states[None])
    sink = model.prefill_sink(reference().latent[None], text)
    t, sound = torch.tensor([900.0]), random_tensor(1, AUDIO)[None]
    x = [random_tensor(n, LATENT)[None] for n in range(3)]
    past = [model.forward_block(x[n], t, sound, text, sink)[1] for n in range(WINDOW)]
    places = SeenPlaces(farthest=SINK_POSITION, latents_per_block=3, rolling=False).at(0, block, 0)
    assert places.sink == SINK_POSITION - 3 * block
    behind = model.key_rope(x[2], WINDOW, places, motion=False)
    velocity, _ = model.forward_block(x[2], t, sound, text, sink, past, key_rope=behind)
    rope = _AbsoluteRope(model.config.head_dim, block)
    monkeypatch.setattr(model, "_block_rope", lambda latent: rope)
    expected, _ = model.forward_block(x[2], t, sound, text, sink, past)
    assert_close(velocity, expected, atol=1e-4, rtol=0)


def test_without_rolling_rope_a_stream_knows_its_age(served_model: WanS2V) -> None:
    """But not where its numbers begin, and it goes on for as long as one likes."""
    stage = _stage(served_model, rolling=False)
    early = _stream([stage], blocks=3)
    assert all(_same(_stream([stage], start=10_000_000, blocks=3), early))
    second = Stage(served_model, Schedule([1.0, 0.5, 0.0]), [1], rolling_rope=False)
    made = []
    for age in (0, 4, 10_000_000):
        second.start_epoch(epoch_start(2, age))
        block = conditioning(age, epoch=2, audio=random_tensor(1, AUDIO))
        made.append(second.process(block, random_tensor(2, LATENT)))
    assert all(torch.isfinite(latent).all() for latent in made)
    assert min(float((a - b).abs().max()) for a, b in combinations(made, 2)) > 1e-3


def test_a_clean_cache_takes_one_more_pass(
    served_model: WanS2V, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[float] = []

    def watched(name: str) -> None:
        method = getattr(served_model, name)

        def noted(x: Tensor, t: Tensor, *arguments: object, **named: object) -> object:
            told.append(float(t))
            return method(x, t, *arguments, **named)

        monkeypatch.setattr(served_model, name, noted)

    watched("forward_block")
    watched("block_keys_values")
    stage = _stage(served_model, clean=True)
    stage.start_epoch(epoch_start())
    clean = stage.process(conditioning(0))
    assert told == [1000.0, 900.0, 750.0, 500.0, 0.0]
    told.clear()
    context = (BlockContext(0, "talk", random_tensor(1000, AUDIO), clean),)
    stage.start_epoch(epoch_start(2, 1, context=context))
    assert told == [0.0]


@pytest.mark.parametrize("rolling", [True, False])
def test_a_clean_cache_is_rebuilt_to_the_bit(served_model: WanS2V, rolling: bool) -> None:
    """Within the first window nothing is lost: what was remembered were the clean latents."""
    unbroken = _stream([_stage(served_model, clean=True, rolling=rolling)], adaptive=False)
    context = tuple(
        BlockContext(n, "talk", random_tensor(1000 + n, AUDIO), unbroken[n]) for n in range(WINDOW)
    )
    stage = _stage(served_model, clean=True, rolling=rolling)
    stage.start_epoch(epoch_start(2, WINDOW, context=context))
    again = [stage.process(conditioning(n, epoch=2)) for n in range(WINDOW, BLOCKS)]
    assert all(_same(again, unbroken[WINDOW:]))


@pytest.mark.parametrize("count", [1, 3, 4, 20])
def test_any_number_of_steps(served_model: WanS2V, count: int) -> None:
    sigmas = flow_match(count).sigmas
    latents = _stream([_stage(served_model, sigmas)])
    for latent, other in zip(latents, _written_out(served_model, sigmas), strict=True):
        assert_close(latent, other, atol=1e-4, rtol=0)
    halves = [list(range(count // 2)), list(range(count // 2, count))]
    stages = [Stage(served_model, Schedule(sigmas), part) for part in halves if part]
    assert all(_same(_stream(stages), latents))


def test_step_counts_differ(served_model: WanS2V) -> None:
    made = [_stream([_stage(served_model, flow_match(n).sigmas)])[0] for n in (3, 4, 20)]
    assert min(float((a - b).abs().max()) for a, b in combinations(made, 2)) > 1e-3


def test_what_no_stage_can_do(served_model: WanS2V) -> None:
    with pytest.raises(StageError, match="kv_cache clean needs all 4 steps in one stage"):
        Stage(served_model, Schedule(FOUR), [0, 1], kv_cache="clean")
    with pytest.raises(StageError, match="kv_cache must be one of same_noise, clean, got 'dirty'"):
        Stage(served_model, Schedule(FOUR), [0], kv_cache="dirty")  # type: ignore[arg-type]
