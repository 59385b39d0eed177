"""Cache-Switching: the past as if it had been under the new prompt, in every split into stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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

from avatar_nodes.block.block import BlockConditioning, BlockContext, EpochStart
from avatar_nodes.block.noise import block_noise
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV

SCHEDULE = flow_match(4)
FOUR = ([0], [1], [2], [3])
TWO = ([0, 1], [2, 3])
ONE = ([0, 1, 2, 3],)
MIXED = ([0], [1, 2], [3])
SWITCH = 4
"""The block that switches to `wave`."""


def _stages(
    model: WanS2V, split: Sequence[Sequence[int]], start: EpochStart | None = None, *,
    max_sigma: float = 1.0,
) -> list[Stage]:  # fmt: skip
    stages = [Stage(model, SCHEDULE, steps, switch_max_sigma=max_sigma) for steps in split]
    for stage in stages:
        stage.start_epoch(start or epoch_start())
        stage.set_prompt(prompt("wave"))
    return stages


def _block(number: int, **changes: object) -> BlockConditioning:
    late = number >= SWITCH
    values = {"prompt_id": "wave" if late else "talk", "cache_switch": number == SWITCH}
    return conditioning(number, **{**values, **changes})  # type: ignore[arg-type]


def _stream(
    model: WanS2V, split: Sequence[Sequence[int]], blocks: int = SWITCH + 3
) -> list[Tensor]:
    stages = _stages(model, split)
    return [run(stages, _block(n)) for n in range(blocks)]


@pytest.fixture(scope="module")
def expected(served_model: WanS2V) -> list[Tensor]:
    return _stream(served_model, ONE)


@torch.inference_mode()
def _by_hand(model: WanS2V, *, first_step: int = 0) -> Tensor:
    """The switching block, with a window that carried its prompt for its two past blocks: they saw
    at each step what they had seen in the stream (what the step before it had made). At steps
    before `first_step` with the stream's own window.
    """
    stages = _stages(model, FOUR)
    seen: list[list[Tensor]] = []
    for n in range(SWITCH):
        x = block_noise(SEED, n, LATENT)
        seen.append([])
        for index, stage in enumerate(stages):
            seen[n].append(x)
            x = stage.process(_block(n), x if index else None)
    wave = model.encode_text(prompt("wave").states[None])
    sink = model.prefill_sink(
        reference().latent[None], model.encode_text(prompt("talk").states[None])
    )
    x = block_noise(SEED, SWITCH, LATENT)
    for step in range(first_step):
        x = stages[step].process(_block(SWITCH, cache_switch=False), x if step else None)
    for step in range(first_step, 4):
        t = torch.tensor([SCHEDULE.timestep(step)])
        past: list[BlockKV] = []
        for n in (SWITCH - 2, SWITCH - 1):
            audio = _block(n).audio[None]
            _, kv = model.forward_block(seen[n][step][None], t, audio, wave, sink, past)
            past.append(kv)
        velocity, _ = model.forward_block(x[None], t, _block(SWITCH).audio[None], wave, sink, past)
        x = SCHEDULE.advance(step, x, velocity[0])
    return x


def test_equals_a_window_that_had_the_prompt_all_along(
    served_model: WanS2V, expected: list[Tensor]
) -> None:
    assert torch.equal(expected[SWITCH], _by_hand(served_model))


@pytest.mark.parametrize("split", [ONE, TWO, FOUR])
@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("first_step", [1, 2, 4])
def test_the_noisiest_steps_may_be_left_out(
    served_model: WanS2V, split: Sequence[Sequence[int]], ahead: bool, first_step: int
) -> None:
    """A limit that is a step's own level takes that step along."""
    level = SCHEDULE.sigmas[first_step]
    stages = _stages(served_model, split, max_sigma=level)
    for n in range(SWITCH):
        run(stages, _block(n))
    for stage in stages:
        if ahead:
            stage.expect_switch("wave", SWITCH)
            assert stage.prepare()
    assert torch.equal(run(stages, _block(SWITCH)), _by_hand(served_model, first_step=first_step))
    twins = _stages(served_model, ONE, max_sigma=level)
    for n in range(SWITCH + 1):
        run(twins, _block(n))
    for n in (SWITCH + 1, SWITCH + 2):
        assert torch.equal(run(stages, _block(n)), run(twins, _block(n)))


@pytest.mark.parametrize("split", [FOUR, TWO, MIXED])
def test_the_split_into_stages_changes_no_bit(
    served_model: WanS2V, expected: list[Tensor], split: Sequence[Sequence[int]]
) -> None:
    latents = _stream(served_model, split)
    assert all(torch.equal(a, b) for a, b in zip(latents, expected, strict=True))


def test_only_a_switch_reaches_the_past(served_model: WanS2V, expected: list[Tensor]) -> None:
    stages = _stages(served_model, ONE)
    plain = [run(stages, _block(n, cache_switch=False)) for n in range(SWITCH + 1)]
    assert all(torch.equal(a, b) for a, b in zip(plain[:SWITCH], expected, strict=False))
    assert not torch.equal(plain[SWITCH], expected[SWITCH])


def test_without_a_past_there_is_nothing_to_switch(served_model: WanS2V) -> None:
    latents = [
        run(_stages(served_model, TWO), _block(0, prompt_id="wave", cache_switch=switch))
        for switch in (True, False)
    ]
    assert torch.equal(*latents)


def test_sink_and_text_are_not_computed_again(
    served_model: WanS2V, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = _stages(served_model, ONE)
    for n in range(SWITCH):
        run(stages, _block(n))
    run(stages, _block(SWITCH, cache_switch=False))  # `wave` is encoded
    calls: list[str] = []
    for name in ("prefill_sink", "encode_text"):
        method = getattr(served_model, name)
        monkeypatch.setattr(
            served_model, name, lambda *a, m=method, n=name: (calls.append(n), m(*a))[1]
        )
    run(stages, _block(SWITCH + 1, cache_switch=True))
    assert calls == []


def _context(latents: Sequence[Tensor], blocks: Sequence[int], name: str) -> EpochStart:
    context = tuple(
        BlockContext(n, name, random_tensor(1000 + n, AUDIO), latents[n]) for n in blocks
    )
    prompts = (prompt("talk"), prompt("wave"))
    return epoch_start(2, blocks[-1] + 1, context=context, prompts=prompts)


@pytest.mark.parametrize("split", [ONE, TWO])
def test_recovery_is_the_same_rebuild(
    served_model: WanS2V, expected: list[Tensor], split: Sequence[Sequence[int]]
) -> None:
    """A context under the old prompt and then a switch is a context under the new one."""
    blocks = (SWITCH - 2, SWITCH - 1)
    switched = _stages(served_model, split, _context(expected, blocks, "talk"))
    begun = _stages(served_model, split, _context(expected, blocks, "wave"))
    assert torch.equal(
        run(switched, _block(SWITCH, epoch=2)),
        run(begun, _block(SWITCH, epoch=2, cache_switch=False)),
    )


def test_an_epoch_may_begin_in_the_middle_of_a_switch(
    served_model: WanS2V, expected: list[Tensor]
) -> None:
    """One stage has made the switch, the next has not; then both begin anew, one of them fresh."""
    start = _context(expected, (SWITCH - 2, SWITCH - 1), "talk")
    whole = _stages(served_model, ONE, start)
    stages = _stages(served_model, TWO)
    for n in range(SWITCH):
        run(stages, _block(n))
    stages[0].process(_block(SWITCH))
    stages[1] = _stages(served_model, TWO)[1]
    for stage in stages:
        stage.start_epoch(start)
        stage.set_prompt(prompt("wave"))
    for n in (SWITCH, SWITCH + 1):
        block = _block(n, epoch=2)
        assert torch.equal(run(stages, block), run(whole, block))


def test_a_clean_cache_is_switched_too(served_model: WanS2V) -> None:
    def stage() -> Stage:
        made = Stage(served_model, SCHEDULE, [0, 1, 2, 3], kv_cache="clean")
        made.start_epoch(epoch_start())
        made.set_prompt(prompt("wave"))
        return made

    stream = stage()
    latents = [stream.process(_block(n)) for n in range(SWITCH)]
    switched = stream.process(_block(SWITCH))
    begun = stage()  # from the finished blocks themselves, which are what a clean cache sees
    begun.start_epoch(_context(latents, (SWITCH - 2, SWITCH - 1), "wave"))
    block = replace(_block(SWITCH, epoch=2), cache_switch=False)
    assert torch.equal(switched, begun.process(block))


@pytest.mark.parametrize("split", [ONE, TWO, MIXED])
def test_done_in_advance_it_is_the_same(
    served_model: WanS2V, expected: list[Tensor], split: Sequence[Sequence[int]]
) -> None:
    stages = _stages(served_model, split)
    for stage in stages:
        stage.expect_switch("wave", SWITCH)
    for n in range(SWITCH + 3):
        assert torch.equal(run(stages, _block(n)), expected[n])
        prepared = [stage.prepare() for stage in stages]
        assert prepared == [n == SWITCH - 1] * len(stages), "right before the block, and once"


def test_what_was_done_in_advance_is_used_or_forgotten(
    served_model: WanS2V, expected: list[Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    (stage,) = stages = _stages(served_model, ONE)
    stage.set_prompt(prompt("nod"))
    for n in range(SWITCH):
        run(stages, _block(n))
    stage.expect_switch("wave", SWITCH)
    assert stage.prepare()
    calls: list[int] = []
    method = served_model.block_keys_values
    monkeypatch.setattr(
        served_model, "block_keys_values", lambda *a, **k: (calls.append(1), method(*a, **k))[1]
    )
    assert torch.equal(run(stages, _block(SWITCH)), expected[SWITCH])
    assert not calls
    stage.expect_switch("nod", SWITCH + 1)
    assert stage.prepare()
    assert torch.equal(run(stages, _block(SWITCH + 1)), expected[SWITCH + 1]), "no switch came"
    later = run(stages, _block(SWITCH + 2, prompt_id="nod", cache_switch=True))
    (twin,) = twins = _stages(served_model, ONE)
    twin.set_prompt(prompt("nod"))
    for n in range(SWITCH + 2):
        run(twins, _block(n))
    assert torch.equal(later, run(twins, _block(SWITCH + 2, prompt_id="nod", cache_switch=True))), (
        "what was prepared for another block is not used"
    )


def test_another_switch_than_the_expected_one(served_model: WanS2V) -> None:
    streams = []
    for expected_prompt in (None, "nod"):
        stages = _stages(served_model, TWO)
        for stage in stages:
            stage.set_prompt(prompt("nod"))
        for n in range(SWITCH):
            run(stages, _block(n))
        for stage in stages:
            if expected_prompt is not None:
                stage.expect_switch(expected_prompt, SWITCH)
                assert stage.prepare()
        streams.append(run(stages, _block(SWITCH)))
    assert torch.equal(*streams)


def test_nothing_is_prepared_for_what_is_not_known(served_model: WanS2V) -> None:
    (stage,) = stages = _stages(served_model, ONE)
    stage.expect_switch("wave", 0)
    assert not stage.prepare(), "there is no past"
    run(stages, _block(0))
    stage.expect_switch("nobody told", 1)
    assert not stage.prepare()
    stage.expect_switch("wave", 1)
    stage.start_epoch(epoch_start(2))
    assert not stage.prepare(), "another epoch"
