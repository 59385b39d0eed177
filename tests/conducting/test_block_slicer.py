"""Sound becomes blocks without losing a sample; silence fills in where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.block_slicer import BlockSlicer
from avatar_nodes.errors.refused_error import RefusedError

BLOCK, CONTEXT = 12, 5


def slicer(**options: bool) -> BlockSlicer:
    return BlockSlicer(block_samples=BLOCK, context_samples=CONTEXT, capacity=36, **options)


def ramp(first: int, count: int) -> np.ndarray:
    return np.arange(first + 1, first + 1 + count, dtype=np.int16)


def push(to: BlockSlicer, first: int, count: int, *, end: bool = False, stream: str = "a") -> int:
    return to.push(stream=stream, first_sample=first, samples=ramp(first, count), end_of_stream=end)


def test_blocks_and_their_context() -> None:
    cut = slicer()
    push(cut, 0, 7)
    assert not cut.block_ready
    push(cut, 7, 20)
    first, second = cut.take(), cut.take()
    assert np.array_equal(first.samples, ramp(0, 12))
    assert np.array_equal(second.samples, ramp(12, 12))
    assert first.window[:CONTEXT].tolist() == [0.0] * CONTEXT
    assert np.array_equal(second.window * 32768, ramp(12 - CONTEXT, CONTEXT + BLOCK))
    assert (second.first_sample, second.next_sample) == (12, 24)
    assert (cut.available, cut.next_sample, cut.limit_sample) == (3, 27, 24 + 36)


def test_the_last_block_ends_with_its_sound() -> None:
    cut = slicer()
    push(cut, 0, 17, end=True)
    assert not cut.take().last
    last = cut.take()
    assert last.last
    assert np.array_equal(last.samples, ramp(12, 5))
    assert not last.window[CONTEXT + 5 :].any()


def test_a_whole_last_block_is_the_last() -> None:
    cut = slicer()
    push(cut, 0, 24, end=True)
    assert [cut.take().last, cut.take().last] == [False, True]


def test_an_endless_stream_goes_on_in_silence() -> None:
    cut = slicer(endless=True)
    push(cut, 0, 17, end=True)
    cut.take()
    tail = cut.take()
    assert not tail.last
    assert tail.samples.tolist() == [*ramp(12, 5), *[0] * 7]
    assert not cut.block_ready
    assert cut.take_idle().idle
    assert push(cut, 0, 3, stream="b") == 3
    assert cut.next_sample == 3


def test_speech_begins_at_the_end_of_an_idle_block_and_breaks_off_at_its_beginning() -> None:
    cut = slicer()
    push(cut, 0, 4)
    assert cut.take_idle().samples.tolist() == [*[0] * 8, 1, 2, 3, 4]
    push(cut, 4, 4)
    broken = cut.take_idle(at_once=True)
    assert broken.samples.tolist() == [5, 6, 7, 8, *[0] * 8]
    assert (broken.first_sample, broken.next_sample) == (4, 8)
    assert cut.take_idle().window[:CONTEXT].tolist() == [0.0] * CONTEXT


def test_repeated_samples_are_skipped_and_holes_refused() -> None:
    cut = slicer()
    assert push(cut, 0, 10) == 10
    assert push(cut, 0, 10) == 0
    assert push(cut, 5, 10) == 5
    with pytest.raises(RefusedError, match="15 to 19 are missing") as gap:
        push(cut, 20, 5)
    assert gap.value.reason == "gap"
    with pytest.raises(RefusedError) as overrun:
        push(cut, 15, 22)
    assert overrun.value.reason == "overrun"
    with pytest.raises(RefusedError) as other:
        push(cut, 15, 2, stream="b")
    assert other.value.reason == "stream"
    assert cut.next_sample == 15


def test_restored_it_cuts_as_before() -> None:
    whole, resumed = slicer(), slicer()
    push(whole, 0, 36)
    whole.take()
    past = whole.take()
    resumed.restore(stream="a", next_sample=past.next_sample, past=past.samples)
    assert resumed.next_sample == 24
    push(resumed, 24, 12)
    assert np.array_equal(resumed.take().window, whole.take().window)


def test_silence_leaves_the_sound_waiting() -> None:
    cutter = slicer(endless=True)
    push(cutter, 0, BLOCK)
    silent = cutter.take_silence()
    assert not silent.samples.any() and silent.idle
    assert (silent.first_sample, silent.next_sample) == (0, 0)
    assert cutter.take().samples.tolist() == ramp(0, BLOCK).tolist()


def test_a_dropped_stream_makes_room_for_another() -> None:
    cutter = slicer(endless=True)
    push(cutter, 0, BLOCK, stream="a")
    with pytest.raises(RefusedError):
        push(cutter, 0, BLOCK, stream="b")
    cutter.drop()
    assert cutter.available == 0
    push(cutter, 0, BLOCK, stream="b")
    assert cutter.stream == "b"


def test_rewound_it_wants_what_it_had_before() -> None:
    cutter = slicer(endless=True)
    push(cutter, 0, 2 * BLOCK)
    first = cutter.take()
    cutter.rewind("a", first.first_sample)
    assert (cutter.next_sample, cutter.available) == (0, 0)
    push(cutter, 0, BLOCK)
    assert cutter.take().samples.tolist() == first.samples.tolist()


def test_a_stream_is_not_adopted_by_a_chunk_that_is_refused() -> None:
    cutter = slicer(endless=True)
    push(cutter, 0, BLOCK, stream="a")
    cutter.drop()
    with pytest.raises(RefusedError):
        push(cutter, BLOCK, BLOCK, stream="a")
    push(cutter, 0, BLOCK, stream="b")
    assert cutter.stream == "b"


LOOKAHEAD = 4


def hearing_ahead(**options: bool) -> BlockSlicer:
    return BlockSlicer(
        block_samples=BLOCK, context_samples=CONTEXT, capacity=36, lookahead_samples=LOOKAHEAD,
        **options,
    )  # fmt: skip


def test_a_block_waits_for_the_sound_after_it() -> None:
    cut = hearing_ahead()
    push(cut, 0, 15)
    assert not cut.block_ready
    push(cut, 15, 1)
    block = cut.take()
    assert np.array_equal(block.samples, ramp(0, 12))
    assert np.array_equal(block.window[CONTEXT:] * 32768, ramp(0, 16))
    push(cut, 16, 12)
    assert np.array_equal(cut.take().window * 32768, ramp(12 - CONTEXT, CONTEXT + 16))


@pytest.mark.parametrize("length", [24, 26, 31])
def test_at_the_end_silence_is_heard_ahead(length: int) -> None:
    cut = hearing_ahead()
    push(cut, 0, length, end=True)
    blocks = []
    while not blocks or not blocks[-1].last:
        blocks.append(cut.take())
    whole = np.concatenate([np.zeros(CONTEXT), ramp(0, length), np.zeros(BLOCK + LOOKAHEAD)])
    assert np.array_equal(np.concatenate([b.samples for b in blocks]), ramp(0, length))
    for number, block in enumerate(blocks):
        expected = whole[number * BLOCK :][: CONTEXT + BLOCK + LOOKAHEAD]
        assert np.array_equal(block.window * 32768, expected)


@pytest.mark.parametrize("at_once", [False, True])
def test_sound_that_comes_live_keeps_its_look_ahead(at_once: bool) -> None:
    """A block of silence takes the sound that there is, but for what is heard ahead; so every block
    after it is ready when a block's worth of sound has come."""
    cut = hearing_ahead(endless=True)
    push(cut, 0, 7)
    first = cut.take_idle(at_once=at_once)
    sound = first.samples[:3] if at_once else first.samples[-3:]
    assert np.array_equal(sound, ramp(0, 3)) and np.count_nonzero(first.samples) == 3
    assert np.array_equal(first.window[-LOOKAHEAD:] * 32768, ramp(3, LOOKAHEAD))
    push(cut, 7, 12)
    assert cut.block_ready
    assert np.array_equal(cut.take().samples, ramp(3, 12))
    push(cut, 19, 2, end=True)
    rest = cut.take()
    assert np.array_equal(rest.samples[:6], ramp(15, 6)) and not rest.samples[6:].any()


def test_less_than_the_look_ahead_waits() -> None:
    cut = hearing_ahead(endless=True)
    push(cut, 0, 3)
    silent = cut.take_idle()
    assert silent.idle and not silent.samples.any() and cut.available == 3
    assert np.array_equal(silent.window[-LOOKAHEAD:] * 32768, [1, 2, 3, 0])
    assert not cut.take_silence().window[-LOOKAHEAD:].any()


def test_capacity_for_the_look_ahead() -> None:
    with pytest.raises(ValueError, match=r"a block and its look-ahead \(16\)"):
        BlockSlicer(block_samples=12, context_samples=0, capacity=15, lookahead_samples=4)


@pytest.mark.parametrize("latents", [1, 2])
def test_blocks_of_another_timing_have_the_features_of_the_whole_sound(latents: int) -> None:
    timing = BlockTiming(frame_rate=16, latents_per_block=latents)
    features, size = MelFeatures(timing), timing.samples_per_block
    cut = BlockSlicer(
        block_samples=size, context_samples=features.context_samples, capacity=4 * size
    )
    sound = np.random.default_rng(0).integers(-9000, 9000, 3 * size).astype(np.int16)
    cut.push(stream="a", first_sample=0, samples=sound, end_of_stream=True)
    before = np.zeros(features.context_samples, np.float32)
    whole = features.columns(np.concatenate([before, sound.astype(np.float32) / 32768]))
    for block in range(3):
        columns, first = features.block(cut.take().window), block * timing.frames_per_block
        assert torch.equal(columns, whole[..., first : first + 5 + timing.frames_per_block])
    assert cut.ended and not cut.available
