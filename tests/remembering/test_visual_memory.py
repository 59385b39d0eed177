"""Visual memory from latents to tokens: what enters, and what leaves."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from support.streams import AUDIO, LATENT, epoch_start, random_tensor, reference

from avatar_nodes.block.block import BlockContext, BlockLatent, EpochStart, Memory
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.remembering.frame_features import FrameFeatures, PooledLatents
from avatar_nodes.remembering.key_frames import KeyFrameRules
from avatar_nodes.remembering.memory_stage import MemoryStage
from avatar_nodes.remembering.visual_memory import RememberedFrame, VisualMemory

SHORT, LONG, LAG = 4, 3, 2


class _Looks(PooledLatents):
    """Describes latents, and insists on seeing frames."""

    needs_frames = True


@pytest.fixture
def stage(remembering_model: WanS2V) -> MemoryStage:
    return _stage(remembering_model)


def _stage(model: WanS2V, features: FrameFeatures | None = None, lag: int = LAG) -> MemoryStage:
    shape = model.config.memory_shape
    assert shape is not None
    return MemoryStage(
        model.memory_compressor, features or PooledLatents(), rules=KeyFrameRules(capacity=LONG),
        short=SHORT, lag=lag, latent_shape=LATENT, block_frames=12, frame_shape=shape,
    )  # fmt: skip


def _block(number: int, epoch: int = 1) -> BlockLatent:
    return BlockLatent(epoch, number, 4, random_tensor(number, LATENT))


def _taken(stage: MemoryStage, blocks: Iterable[int], epoch: int = 1) -> list[Memory]:
    return [memory for n in blocks for memory in stage.take(_block(n, epoch))]


def _context(*blocks: int) -> tuple[BlockContext, ...]:
    return tuple(BlockContext(n, "talk", torch.zeros(AUDIO), _block(n).latent) for n in blocks)


def _same(a: Memory, b: Memory) -> bool:
    return a.blocks == b.blocks and torch.equal(a.long, b.long) and torch.equal(a.short, b.short)


class TestVisualMemory:
    @staticmethod
    def _frames(block: int) -> list[RememberedFrame]:
        features = np.eye(8)[[(3 * block + n) % 8 for n in range(3)]]
        return [RememberedFrame(block, torch.zeros(4, 2), feature) for feature in features]

    def test_frames_leave_short_memory_for_the_key_frames_in_their_order(self) -> None:
        memory = VisualMemory.empty(short=SHORT, rules=KeyFrameRules(capacity=LONG))
        seen = []
        for block in range(3):
            memory = memory.after(self._frames(block))
            seen.append(
                (
                    [frame.block for frame in memory.keys.items],
                    [frame.block for frame in memory.recent],
                )
            )
        assert seen == [([], [0, 0, 0]), ([0, 0], [0, 1, 1, 1]), ([0, 0, 0], [1, 2, 2, 2])]
        assert memory.keys.offered == 5

    def test_the_first_frame_is_the_reference_unless_one_is_given(self) -> None:
        rules = KeyFrameRules(capacity=LONG)
        frames = self._frames(0)
        free = VisualMemory.empty(short=SHORT, rules=rules).after(frames)
        assert free.reference is frames[0].feature
        given = np.eye(8)[7]
        assert VisualMemory.empty(short=SHORT, rules=rules, reference=given).after(
            frames
        ).reference is given  # fmt: skip

    def test_without_short_memory_everything_is_a_candidate(self) -> None:
        memory = VisualMemory.empty(short=0, rules=KeyFrameRules(capacity=LONG))
        memory = memory.after(self._frames(0))
        assert (len(memory.recent), memory.keys.offered) == (0, 3)


class TestStage:
    def test_every_block_makes_a_version(self, stage: MemoryStage) -> None:
        assert stage.start_epoch(epoch_start()) == []
        made = _taken(stage, range(4))
        assert [memory.version for memory in made] == [1, 2, 3, 4]
        assert [len(memory.short) for memory in made] == [12, 16, 16, 16]
        assert [len(memory.long) for memory in made] == [0, 8, 12, 12]
        assert made[1].blocks == (0, 0, 0, 1, 1, 1)
        assert {memory.epoch for memory in made} == {1}

    def test_tokens_are_those_of_the_compressor(
        self, stage: MemoryStage, remembering_model: WanS2V
    ) -> None:
        stage.start_epoch(epoch_start())
        memory = _taken(stage, range(2))[-1]
        latents = torch.cat([_block(n).latent for n in range(2)], dim=1).transpose(0, 1)
        with torch.inference_mode():
            tokens = remembering_model.memory_compressor(latents).flatten(0, 1)
        assert torch.allclose(torch.cat([memory.long, memory.short]), tokens, atol=1e-5)

    def test_numbers_do_not_matter(self, remembering_model: WanS2V) -> None:
        early, late = _stage(remembering_model), _stage(remembering_model)
        early.start_epoch(epoch_start())
        late.start_epoch(epoch_start(1, 10**7, stream_start=10**7))
        for n in range(5):
            (a,) = early.take(_block(n))
            (b,) = late.take(BlockLatent(1, 10**7 + n, 4, _block(n).latent))
            assert a.version == b.version
            assert torch.equal(a.long, b.long) and torch.equal(a.short, b.short)

    def test_an_epoch_goes_back_to_before_its_first_block(self, stage: MemoryStage) -> None:
        """Blocks that are made again are remembered again, not twice."""
        stage.start_epoch(epoch_start())
        first = _taken(stage, range(8))
        told = stage.start_epoch(epoch_start(2, 5))
        assert [(memory.version, memory.epoch) for memory in told] == [(4, 2), (5, 2)]
        assert _same(told[0], first[3]) and _same(told[1], first[4])
        again = _taken(stage, range(5, 8), epoch=2)
        assert all(_same(a, b) for a, b in zip(again, first[5:], strict=True))

    def test_an_epoch_that_overtakes_latents_brings_them(
        self, stage: MemoryStage, remembering_model: WanS2V
    ) -> None:
        """Blocks 3 and 4 were finished and shown, but come after the epoch's start here."""
        whole = _stage(remembering_model)
        for each, seen in ((whole, 5), (stage, 3)):
            each.start_epoch(epoch_start())
            _taken(each, range(seen))
        start = epoch_start(2, 5, context=_context(3, 4))
        told, expected = stage.start_epoch(start)[-1], whole.start_epoch(start)[-1]
        assert told.version == 5 and _same(told, expected)
        again = [_taken(each, range(5, 8), epoch=2) for each in (stage, whole)]
        assert all(_same(a, b) for a, b in zip(*again, strict=True))

    def test_a_memory_that_lost_everything_has_the_context(self, remembering_model: WanS2V) -> None:
        fresh = _stage(remembering_model)
        (told,) = fresh.start_epoch(epoch_start(2, 5, context=_context(3, 4)))
        assert (told.version, told.blocks) == (5, (3, 3, 3, 4, 4, 4))

    def test_what_was_lost_is_an_empty_version(self, remembering_model: WanS2V) -> None:
        fresh = _stage(remembering_model)
        (told,) = fresh.start_epoch(epoch_start(2, 5))
        assert (told.version, told.blocks, told.long.shape) == (5, (), (0, 64))
        (made,) = fresh.take(_block(5, 2))
        assert (made.version, made.blocks) == (6, (5, 5, 5))

    @pytest.mark.parametrize(
        "start",
        [epoch_start(2, 0), epoch_start(2, 3, stream_start=3), epoch_start(2, 0, seed=1)],
        ids=["from its start", "another stream", "another seed"],
    )
    def test_a_new_stream_remembers_nothing(self, stage: MemoryStage, start: EpochStart) -> None:
        stage.start_epoch(epoch_start())
        _taken(stage, range(4))
        assert stage.start_epoch(start) == []
        (made,) = stage.take(_block(start.first_block, 2))
        assert made.version == 1 and set(made.blocks) == {start.first_block}

    def test_key_frames_must_be_like_the_sink(self, stage: MemoryStage) -> None:
        stage.start_epoch(epoch_start())
        stage.take(_block(0))
        wanted = PooledLatents().describe(reference().latent)[0]
        assert stage.memory.reference is not None
        assert np.array_equal(stage.memory.reference, wanted)

    def test_latents_wait_for_their_frames_and_frames_for_latents(
        self, remembering_model: WanS2V
    ) -> None:
        stage = _stage(remembering_model, _Looks())
        stage.start_epoch(epoch_start())
        frames = np.zeros((12, 8, 8, 3), np.uint8)
        assert stage.take(_block(0)) == []
        assert stage.take(_block(1)) == []
        assert stage.take_frames(1, 1, frames[:4]) == []
        assert stage.take_frames(1, 1, frames[4:], first=4) == []
        assert [memory.version for memory in stage.take_frames(1, 0, frames)] == [1, 2]
        assert stage.take_frames(1, 2, frames) == []
        assert [memory.version for memory in stage.take(_block(2))] == [3]

    def test_what_cannot_be_remembered(self, stage: MemoryStage) -> None:
        stage.start_epoch(epoch_start(5))
        broken = random_tensor(1, LATENT)
        broken[0, 0, 0, 0] = float("inf")
        refused = {
            "stale": _block(0, 4),
            "early": _block(0, 6),
            "order": _block(99, 5),
            "shape": BlockLatent(5, 0, 4, torch.zeros(4, 3, 8, 7)),
            "not_finite": BlockLatent(5, 0, 4, broken),
        }
        for reason, block in refused.items():
            with pytest.raises(RefusedError) as error:
                stage.take(block)
            assert error.value.reason == reason
        frames = np.zeros((13, 8, 8, 3), np.uint8)
        assert stage.take_frames(5, 0, frames[:4]) == []
        for first, count in ((0, 4), (5, 4), (4, 9)):
            with pytest.raises(RefusedError) as error:
                stage.take_frames(5, 0, frames[:count], first=first)
            assert error.value.reason == "shape"
        with pytest.raises(RefusedError) as error:
            stage.start_epoch(epoch_start(5))
        assert error.value.reason == "stale"
        assert [memory.version for memory in stage.take(_block(0, 5))] == [1]

    def test_it_holds_no_more_however_long_the_stream(self, stage: MemoryStage) -> None:
        stage.start_epoch(epoch_start())
        _taken(stage, range(300))
        assert len(stage._past) < 200
        assert len(stage.memory.recent) == SHORT and len(stage.memory.keys) == LONG
