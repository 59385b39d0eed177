"""Live sound whose clock is faster than that of its reader is neither cut nor ever later."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.sound.pace_keeper import PaceKeeper
from avatar_nodes.sound.sample_sender import SampleSender
from avatar_nodes.sound.sources import BufferSource

RATE = 16_000
PIECE = 320


def tone(first: int, count: int, hertz: float = 220.0) -> np.ndarray:
    places = (first + np.arange(count)) * (2 * np.pi * hertz / RATE)
    return (12_000 * np.sin(places)).astype(np.int16)


class Reader:
    """Demands as a conductor does whose picture flows in real time: the block that is said now."""

    def __init__(self, source: BufferSource) -> None:
        self._sender = SampleSender(source, sample_rate=RATE, chunk_samples=640, realtime=True)
        self.sound: list[np.ndarray] = []
        self.next = 0

    @property
    def skipped(self) -> int:
        return self._sender.skipped

    def read(self, now: float) -> None:
        block = int(now / 0.48)
        self._sender.demand(self.next, (block + 1) * 7680, now)
        for run in self._sender.poll(now):
            assert run.first_sample == self.next
            self.sound.append(run.samples)
            self.next += len(run.samples)


def drawn_apart(reader: Reader, source: BufferSource) -> float:
    """Seconds of sound that are captured and not yet demanded."""
    return (source.end - reader.next) / RATE


def flow(
    source: BufferSource, reader: Reader, seconds: float, *, ppm: float, first: int = 0
) -> float:
    """Both for `seconds`; returns the most that waited, in seconds."""
    pushed, most = first, 0.0
    for step in range(round(seconds * 50)):
        now = step / 50
        while pushed - first < now * RATE * (1 + ppm / 1e6):
            source.push(tone(pushed, PIECE), sample_rate=RATE, channels=1)
            pushed += PIECE
        reader.read(now)
        most = max(most, drawn_apart(reader, source))
    return most


def test_in_step_it_is_passed_on_as_it_is() -> None:
    source = BufferSource()
    reader = Reader(source)
    flow(source, reader, 60.0, ppm=0.0)
    heard = np.concatenate(reader.sound)
    assert np.array_equal(heard, tone(0, len(heard)))
    assert not source.hurrying


@pytest.mark.parametrize(("ppm", "seconds"), [(500.0, 1300.0), (3000.0, 220.0)])
def test_a_faster_clock_is_followed_without_a_cut(
    monkeypatch: pytest.MonkeyPatch, ppm: float, seconds: float
) -> None:
    source = BufferSource()
    reader = Reader(source)
    most = flow(source, reader, seconds, ppm=ppm)
    assert reader.skipped == 0
    assert most < 0.15
    monkeypatch.setattr(PaceKeeper, "process", lambda keeper, samples, *, waiting: samples)
    plain = BufferSource()
    cut = Reader(plain)
    assert flow(plain, cut, seconds, ppm=ppm) >= 0.5 and cut.skipped
    heard = np.concatenate(reader.sound).astype(float)
    steps = np.abs(np.diff(heard[RATE:], 2)).max()
    assert steps < 3 * np.abs(np.diff(tone(0, RATE).astype(float), 2)).max(), "no click"


def test_a_reader_that_paused_changes_nothing() -> None:
    """It catches up itself: what is hurried is what it would wait for each time."""
    keeper = PaceKeeper(sample_rate=RATE)
    for piece in range(200):
        waiting = 6000 if piece in range(60, 130) else 0  # for 1.4 s
        sound = tone(piece * PIECE, PIECE)
        assert np.array_equal(keeper.process(sound, waiting=waiting), sound)
    assert not keeper.hurrying


def test_what_was_hurried_goes_on_where_it_was() -> None:
    keeper = PaceKeeper(sample_rate=RATE)
    out = []
    for piece in range(1500):
        waiting = 2000 if 200 <= piece < 800 else 0
        out.append(keeper.process(tone(piece * PIECE, PIECE), waiting=waiting))
    heard = np.concatenate(out)
    shorter = 1500 * PIECE - len(heard)
    assert 0.004 * 8 * RATE < shorter < 0.004 * 13 * RATE + 400, "hurried for about ten seconds"
    assert not keeper.hurrying
    end = heard[-RATE:].astype(float)
    fits = [np.corrcoef(end, tone(shift, RATE))[0, 1] for shift in range(80)]
    assert max(fits) > 0.999, "at its own pitch again"
