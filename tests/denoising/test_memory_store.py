"""Blocks that remember: the same bits in every split and for a stage that comes late."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from support.streams import (
    LATENT,
    conditioning,
    epoch_start,
    flow_match,
    prompt,
    random_tensor,
    run,
)
from torch import Tensor

from avatar_nodes.block.block import BlockConditioning, BlockLatent, Memory
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.remembering.frame_features import PooledLatents
from avatar_nodes.remembering.key_frames import KeyFrameRules
from avatar_nodes.remembering.memory_stage import MemoryStage

SCHEDULE = flow_match(4)
FOUR = ([0], [1], [2], [3])
TWO = ([0, 1], [2, 3])
ONE = ([0, 1, 2, 3],)
BLOCKS, LAG = 8, 2


def _memory_stage(model: WanS2V) -> MemoryStage:
    shape = model.config.memory_shape
    assert shape is not None
    stage = MemoryStage(
        model.memory_compressor, PooledLatents(), rules=KeyFrameRules(capacity=3), short=4,
        lag=LAG, latent_shape=LATENT, block_frames=12, frame_shape=shape,
    )  # fmt: skip
    stage.start_epoch(epoch_start())
    return stage


def _stages(model: WanS2V, split: Sequence[Sequence[int]]) -> list[Stage]:
    stages = [Stage(model, SCHEDULE, steps) for steps in split]
    for stage in stages:
        stage.start_epoch(epoch_start())
        stage.set_prompt(prompt("wave"))
    return stages


def _block(number: int, **changes: object) -> BlockConditioning:
    version = max(0, number + 1 - LAG)
    late = number >= 5
    values = {
        "memory_version": version,
        "prompt_id": "wave" if late else "talk",
        "cache_switch": number == 5,
    }
    return conditioning(number, **{**values, **changes})  # type: ignore[arg-type]


def _stream(
    model: WanS2V, split: Sequence[Sequence[int]], blocks: int = BLOCKS
) -> tuple[list[Tensor], list[Memory]]:
    """Latents and versions of a stream that remembers, with a switch of the caches on the way."""
    stages, memory = _stages(model, split), _memory_stage(model)
    latents: list[Tensor] = []
    versions: list[Memory] = []
    for n in range(blocks):
        latents.append(run(stages, _block(n)))
        (version,) = memory.take(BlockLatent(1, n, 4, latents[-1]))
        versions.append(version)
        for stage in stages:
            stage.set_memory(version)
    return latents, versions


@pytest.fixture(scope="module")
def expected(remembering_model: WanS2V) -> tuple[list[Tensor], list[Memory]]:
    return _stream(remembering_model, ONE)


@pytest.mark.parametrize("split", [FOUR, TWO])
def test_the_split_into_stages_changes_no_bit(
    remembering_model: WanS2V,
    expected: tuple[list[Tensor], list[Memory]],
    split: Sequence[Sequence[int]],
) -> None:
    latents, _ = _stream(remembering_model, split)
    assert all(torch.equal(a, b) for a, b in zip(latents, expected[0], strict=True))


def test_memory_acts_from_the_block_that_carries_it(
    remembering_model: WanS2V, expected: tuple[list[Tensor], list[Memory]]
) -> None:
    stages = _stages(remembering_model, ONE)
    plain = [run(stages, _block(n, memory_version=0)) for n in range(4)]
    same = [torch.equal(a, b) for a, b in zip(plain, expected[0], strict=False)]
    assert same == [True, True, False, False]


def test_a_model_is_the_same_with_and_without_a_compressor(
    remembering_model: WanS2V, served_model: WanS2V
) -> None:
    """As long as nothing is remembered."""
    latents = [
        [run(stages, _block(n, memory_version=0)) for n in range(3)]
        for stages in (_stages(model, TWO) for model in (remembering_model, served_model))
    ]
    assert all(torch.equal(a, b) for a, b in zip(*latents, strict=True))


def test_a_frame_is_computed_once(
    remembering_model: WanS2V, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed: list[Tensor] = []
    method = remembering_model.prefill_memory_frame
    monkeypatch.setattr(
        remembering_model, "prefill_memory_frame", lambda t: (computed.append(t), method(t))[1]
    )
    _stream(remembering_model, ONE)
    assert len(computed) == 3 * BLOCKS
    assert all(tokens.shape == (1, 4, 64) for tokens in computed)


def test_a_stage_that_comes_late_computes_the_same_bits(
    remembering_model: WanS2V, expected: tuple[list[Tensor], list[Memory]]
) -> None:
    """It gets the newest version at once, with all of its frames new to it."""
    _, versions = expected
    start = epoch_start(2, 9, prompts=(prompt("talk"), prompt("wave")))
    made = []
    for told in (versions, versions[-1:]):
        stage = Stage(remembering_model, SCHEDULE, [0, 1, 2, 3])
        stage.start_epoch(start)
        for version in told:
            stage.set_memory(version)
        made.append(stage.process(_block(9, epoch=2, memory_version=BLOCKS)))
    assert torch.equal(*made)


def test_an_empty_version_is_no_memory(remembering_model: WanS2V) -> None:
    stages = _stages(remembering_model, ONE)
    plain = run(stages, _block(0))
    stages = _stages(remembering_model, ONE)
    nothing = torch.zeros(0, 64)
    stages[0].set_memory(Memory(1, 1, nothing, nothing))
    assert torch.equal(run(stages, _block(0, memory_version=1)), plain)


def test_refusals(remembering_model: WanS2V, served_model: WanS2V) -> None:
    (stage,) = _stages(remembering_model, ONE)
    with pytest.raises(RefusedError, match="memory version 3 is not known"):
        stage.process(_block(0, memory_version=3))
    stage.set_memory(Memory(3, 1, random_tensor(1, (4, 64)), random_tensor(2, (8, 64))))
    stage.start_epoch(epoch_start(2))
    with pytest.raises(RefusedError, match="memory version 3 is not known"):  # it was of epoch 1
        stage.process(_block(0, epoch=2, memory_version=3))
    (plain,) = _stages(served_model, ONE)
    with pytest.raises(RefusedError, match="without visual memory"):
        plain.set_memory(Memory(1, 1, torch.zeros(0, 64), torch.zeros(0, 64)))
    with pytest.raises(RefusedError, match="memory version 1 is not known"):
        plain.process(_block(0, memory_version=1))


def test_what_is_held_does_not_grow(remembering_model: WanS2V) -> None:
    (stage,) = _stages(remembering_model, ONE)
    store = stage._memories
    assert store is not None
    for n in range(1, 120):
        stage.set_memory(Memory(n, 1, random_tensor(n, (4, 64)), random_tensor(-n, (4, 64))))
        store.kv(n)
    assert len(store._known) == 32 and len(store._frames) <= 18 and len(store._placed) <= 2
    assert 119 in store and 80 not in store
