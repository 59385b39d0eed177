"""Sound is heard at its time, whole, whatever the sound card's clock does."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.sound.playback import Playback

RATE, FRAME, PERIOD = 16_000, 640, 320
FRAME_NS = 40_000_000
START_NS = 1_700_000_000_000_000_000
DELAY_S = 0.1


def speech(seconds: int, seed: int = 0) -> np.ndarray:
    """Two seconds of loud noise, one of silence, and so on; begins with silence."""
    rng = np.random.default_rng(seed)
    sound = rng.integers(1000, 9000, seconds * RATE).astype(np.int16)
    sound[(np.arange(len(sound)) + 2 * RATE) // RATE % 3 == 2] = 0
    return sound


def play(playback: Playback, sound: np.ndarray, card_ppm: float = 0.0) -> np.ndarray:
    """What a card hears whose clock is so much faster than ours; chunks come in on time."""
    heard, given, now_ns = [], 0, 0.0
    period_ns = PERIOD / RATE * 1e9 / (1 + card_ppm * 1e-6)
    reads = 0
    while now_ns < len(sound) / RATE * 1e9:
        while given * FRAME_NS <= now_ns and given * FRAME < len(sound):
            chunk = sound[given * FRAME : (given + 1) * FRAME]
            playback.add(START_NS + given * FRAME_NS, chunk)
            given += 1
        heard.append(playback.read(PERIOD, START_NS + round(now_ns)))
        reads += 1
        now_ns = reads * period_ns
    return np.concatenate(heard)


def test_a_sample_is_heard_its_delay_after_its_stamp() -> None:
    sound = speech(12)
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S)
    heard = play(playback, sound)
    delay = round(DELAY_S * RATE)
    assert not heard[:delay].any()
    assert np.array_equal(heard[delay:], sound[: len(heard) - delay])
    assert (playback.underruns, playback.jumps, playback.corrected) == (0, 0, 0)


@pytest.mark.parametrize("ppm", [200.0, -200.0])
def test_a_card_that_drifts_is_followed_in_the_pauses(ppm: float) -> None:
    sound = speech(300)
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S)
    heard = play(playback, sound, ppm)
    assert abs(playback.error_s) < 0.01
    assert playback.corrected == pytest.approx(300 * RATE * 200e-6, abs=0.01 * RATE)
    assert (playback.underruns, playback.jumps, playback.overflowed) == (0, 0, 0)
    loud = heard[heard != 0]
    assert np.array_equal(loud, sound[sound != 0][: len(loud)])  # not a sample is missing
    assert len(loud) > 0.6 * len(sound)


def test_barge_in_empties_it_at_once() -> None:
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S)
    loud = np.full(FRAME, 8000, np.int16)
    for number in range(5):
        playback.add(START_NS + number * FRAME_NS, loud)
    now_ns = START_NS + round(DELAY_S * 1e9)
    assert playback.read(PERIOD, now_ns)[-1] == 8000
    playback.cut(START_NS + 6 * FRAME_NS)
    assert playback.waiting_s == 0.0
    after = playback.read(PERIOD, now_ns + 20_000_000)
    assert np.abs(np.diff(np.concatenate([[8000], after]))).max() < 200  # no click
    assert not after[80:].any()
    playback.add(START_NS + 5 * FRAME_NS, loud)  # was under way
    playback.add(START_NS + 6 * FRAME_NS, loud)
    heard = [playback.read(PERIOD, now_ns + n * 20_000_000) for n in range(2, 14)]
    sound = np.concatenate(heard)
    begins = int(np.flatnonzero(sound)[0])
    assert begins == pytest.approx(round(0.2 * RATE), abs=2)  # stamped 240 ms, heard from 40 ms on
    assert sound.max() == 8000


@pytest.mark.parametrize("over", [True, False])
def test_a_clock_that_is_set_back_does_not_mute_the_avatar(over: bool) -> None:
    """By an hour, after the mute or within it."""
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S)
    loud = np.full(FRAME, 8000, np.int16)
    playback.cut(START_NS + 2 * FRAME_NS)
    for number in range(3 if over else 1):
        playback.add(START_NS + number * FRAME_NS, loud)
    back_ns = START_NS - 3600 * 1_000_000_000
    heard = []
    for number in range(100):  # what waits by the old time gives way
        playback.add(back_ns + number * FRAME_NS, loud)
        now_ns = back_ns + number * FRAME_NS + round(DELAY_S * 1e9)
        heard += [playback.read(PERIOD, now_ns), playback.read(PERIOD, now_ns + 20_000_000)]
    assert (np.concatenate(heard)[-RATE:] == 8000).all()
    playback.cut(back_ns + 102 * FRAME_NS)
    playback.add(back_ns + 101 * FRAME_NS, loud)
    due_ns = back_ns + 101 * FRAME_NS + round(DELAY_S * 1e9)
    playback.read(PERIOD, due_ns - 20_000_000)  # falls silent
    assert not playback.read(PERIOD, due_ns).any()


def test_a_gap_falls_and_rises_without_a_click() -> None:
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S)
    tone = (8000 * np.sin(np.arange(50 * FRAME) * 2 * np.pi * 100 / RATE)).astype(np.int16)
    heard = []
    for number in range(50):
        if not 20 <= number < 25:
            chunk = tone[number * FRAME : (number + 1) * FRAME]
            playback.add(START_NS + number * FRAME_NS, chunk)
        now_ns = START_NS + number * FRAME_NS
        heard += [playback.read(PERIOD, now_ns), playback.read(PERIOD, now_ns + 20_000_000)]
    sound = np.concatenate(heard)
    assert playback.underruns == 1
    assert np.abs(np.diff(sound.astype(int))).max() < 800
    late = round(DELAY_S * RATE)
    assert np.array_equal(sound[late + 27 * FRAME :], tone[27 * FRAME : len(sound) - late])


def test_late_sound_is_skipped_and_the_buffer_is_bounded() -> None:
    playback = Playback(sample_rate=RATE, delay_s=DELAY_S, capacity_s=1.0)
    for number in range(50):
        playback.add(START_NS + number * FRAME_NS, np.full(FRAME, number + 1000, np.int16))
    assert playback.waiting_s == 1.0
    assert playback.overflowed == RATE
    heard = playback.read(PERIOD, START_NS + 40 * FRAME_NS + round(DELAY_S * 1e9))
    assert heard[-1] == 1040
    playback.read(PERIOD, START_NS + 48 * FRAME_NS + round(DELAY_S * 1e9))  # the card stood still
    assert playback.jumps == 1
    assert playback.waiting_s < 0.1
