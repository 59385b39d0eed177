"""Chunks of any kind become one steady sound; what is missing, repeated or foreign is told."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.hearing.sound_intake import SoundChunk, SoundIntake, SoundPiece

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def ramp(first: int, count: int) -> np.ndarray:
    return (np.arange(first, first + count) % 30000).astype(np.int16)


def push(
    intake: SoundIntake, first: int, samples: np.ndarray, *, rate: int = 16000, channels: int = 1,
    stream: str = "a", late_ms: int = 0, over: bool = False, stamped: bool = True,
) -> SoundPiece | None:  # fmt: skip
    captured = START + first * SECOND // rate
    now = captured + len(samples) // channels * SECOND // rate + late_ms * 1_000_000
    chunk = SoundChunk(stream, first, samples, rate, channels, captured if stamped else 0, over)
    return intake.push(chunk, now_ns=now)


def test_consecutive_chunks_are_one_run() -> None:
    intake = SoundIntake()
    pieces = [push(intake, first, ramp(first, 500)) for first in range(0, 5000, 500)]
    assert all(pieces)
    assert [piece.begins for piece in pieces if piece] == [True] + [False] * 9
    assert np.array_equal(np.concatenate([p.samples for p in pieces if p]), ramp(0, 5000))
    assert [p.captured_ns for p in pieces if p] == [
        START + first * SECOND // 16000 for first in range(0, 5000, 500)
    ]


def test_a_chunk_without_a_stamp_was_captured_just_now() -> None:
    piece = push(SoundIntake(), 1600, ramp(0, 800), stamped=False)
    assert piece is not None
    assert piece.captured_ns == START + SECOND // 10


def test_what_was_had_is_skipped() -> None:
    intake = SoundIntake()
    push(intake, 0, ramp(0, 1000))
    assert push(intake, 400, ramp(400, 600)) is None
    piece = push(intake, 800, ramp(800, 500))
    assert piece is not None and not piece.begins
    assert np.array_equal(piece.samples, ramp(1000, 300))
    assert piece.first_sample == 1000


def test_a_gap_begins_a_new_run_and_so_does_a_count_that_starts_anew() -> None:
    intake = SoundIntake()
    push(intake, 0, ramp(0, 1000))
    after_gap = push(intake, 3000, ramp(0, 1000))
    assert after_gap is not None and after_gap.begins
    assert (after_gap.first_sample, intake.gaps) == (1000, 1)
    assert intake.source_sample(1500) == 3500
    push(intake, 100_000, ramp(0, 1000))
    anew = push(intake, 0, ramp(0, 1000))
    assert anew is not None and anew.begins


def test_an_impossible_index_is_refused_and_a_huge_one_does_no_lasting_harm() -> None:
    intake = SoundIntake()
    with pytest.raises(RefusedError) as refused:
        push(intake, (1 << 64) - 1000, ramp(0, 100))
    assert refused.value.reason == "index"
    push(intake, 0, ramp(0, 1000))
    intake.push(SoundChunk("a", 1 << 60, ramp(0, 10), 16000, 1, START), now_ns=START)
    piece = push(intake, 1000, ramp(1000, 1000))
    assert piece is not None and len(piece.samples) == 1000


def test_one_stream_at_a_time() -> None:
    intake = SoundIntake()
    push(intake, 0, ramp(0, 1000))
    with pytest.raises(RefusedError) as refused:
        push(intake, 0, ramp(0, 1000), stream="b")
    assert refused.value.reason == "stream"
    other = push(intake, 0, ramp(0, 1000), stream="b", late_ms=2000)
    assert other is not None and other.begins
    assert intake.stream == "b"


def test_a_stream_that_broke_off_before_the_clock_was_set_back_is_not_alive() -> None:
    intake = SoundIntake()
    push(intake, 0, ramp(0, 1000))
    piece = push(intake, 0, ramp(0, 1000), stream="b", late_ms=-3_600_000)
    assert piece is not None and piece.begins


def test_after_a_stream_s_end_the_next_begins_at_once() -> None:
    intake = SoundIntake()
    over = push(intake, 0, ramp(0, 1000), over=True)
    assert over is not None and over.over
    other = push(intake, 0, ramp(0, 1000), stream="b")
    assert other is not None and other.begins


@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (44100, 1), (8000, 1), (16000, 2)])
def test_any_rate_and_channels_keep_pitch_and_time(rate: int, channels: int) -> None:
    intake = SoundIntake()
    seconds = np.arange(2 * rate) / rate
    tone = np.rint(9000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
    sound = np.repeat(tone, channels)
    step = rate // 50
    pieces = [
        push(intake, first, sound[first * channels : (first + step) * channels], rate=rate,
             channels=channels, over=first + step >= len(tone))
        for first in range(0, len(tone), step)
    ]  # fmt: skip
    heard = np.concatenate([piece.samples for piece in pieces if piece])
    expected = 9000 * np.sin(2 * np.pi * 440 * np.arange(len(heard)) / 16000)
    assert abs(len(heard) - 32000) <= 2
    assert np.abs(heard - expected)[1600:-1600].max() < 400


def test_a_change_of_rate_begins_a_new_run() -> None:
    intake = SoundIntake()
    push(intake, 0, ramp(0, 1000))
    piece = push(intake, 1000, ramp(0, 1000), rate=48000)
    assert piece is not None and piece.begins


def test_stamps_may_jitter_and_drift_and_jump() -> None:
    intake = SoundIntake()
    random = np.random.default_rng(0)
    for number in range(500):
        first = number * 320
        true = START + first * SECOND // 16000 + number * 2000
        jitter = int(random.integers(-8_000_000, 8_000_000))
        chunk = SoundChunk("a", first, ramp(0, 320), 16000, 1, true + jitter)
        piece = intake.push(chunk, now_ns=true)
        assert piece is not None
        if number > 100:
            assert abs(piece.captured_ns - true) < 5_000_000
    piece = push(intake, 500 * 320, ramp(0, 320), late_ms=0)
    later = START + 900 * SECOND
    chunk = SoundChunk("a", 501 * 320, ramp(0, 320), 16000, 1, later)
    jumped = intake.push(chunk, now_ns=later)
    assert jumped is not None and jumped.captured_ns == START + 900 * SECOND


def test_the_two_wires_of_a_balanced_line_do_not_cancel() -> None:
    wires = np.stack([ramp(0, 500), -ramp(0, 500)], axis=1).reshape(-1)
    piece = push(SoundIntake(), 0, wires, channels=2)
    assert piece is not None
    assert np.array_equal(piece.samples, ramp(0, 500))
