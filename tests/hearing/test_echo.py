"""The avatar's voice in the room is taken out, and a visitor on top of it stays."""

from __future__ import annotations

import numpy as np
import pytest
from support.visitor import RATE, chunks, echo_of, say, silence, with_noise

from avatar_nodes.hearing import audio_processing
from avatar_nodes.hearing.audio_processing import FRAME
from avatar_nodes.hearing.echo.canceller import EchoCancellerError
from avatar_nodes.hearing.echo.echo import EchoControl, level_db
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.echo.reference import EchoReference, sample_at

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def ns(sample: int) -> int:
    return START + sample * SECOND // RATE


@pytest.fixture(scope="module")
def avatar() -> np.ndarray:
    """About six seconds of the avatar's speech."""
    sentences = ("Good morning and welcome to the museum.", "We open at nine and close at six.")
    parts = [part for text in sentences for part in (say(text, level=0.6), silence(0.25))]
    return np.concatenate([silence(0.5), *parts])


def through(control: EchoControl, captured: np.ndarray, avatar: np.ndarray) -> np.ndarray:
    """Both sounds in chunks, as two topics bring them: the avatar's 40 ms, the microphone's 20."""
    plays = chunks(avatar, 640)
    clean = []
    for first, part in chunks(captured, 320):
        if first % 640 == 0 and (played := next(plays, None)):
            control.play(played[1], ns(played[0]))
        clean += [frame.samples for frame in control.process(part, first, ns(first))]
    return np.concatenate(clean)


@pytest.mark.parametrize("delay_s", [0.0, 0.06, 0.25])
def test_the_echo_is_cancelled_and_told_how_much(avatar: np.ndarray, delay_s: float) -> None:
    control = EchoControl("aec")
    echo = with_noise(echo_of(avatar, delay_s=delay_s, gain=0.5))
    clean = through(control, echo, avatar)
    half = len(clean) // 2
    assert level_db(echo[half:]) - level_db(clean[half:]) > 15.0
    assert control.erle_db is not None and control.erle_db > 15.0


def test_a_known_delay_reaches_beyond_what_is_found_by_itself(avatar: np.ndarray) -> None:
    echo = with_noise(echo_of(avatar, delay_s=1.5, gain=0.5))
    captured = np.concatenate([echo, silence(1.5)])
    control = EchoControl("aec", delay_s=1.45)
    clean = through(control, captured, avatar)
    late = slice(5 * RATE, 6 * RATE)
    assert level_db(captured[late]) - level_db(clean[late]) > 15.0


def test_without_the_avatar_the_visitor_passes() -> None:
    control = EchoControl("aec")
    visitor = with_noise(say("Where is the exit, please?"))
    clean = through(control, visitor, silence(1.0))
    assert abs(level_db(clean) - level_db(visitor)) < 3.0
    assert control.erle_db is None


@pytest.mark.parametrize("mode", ["gate", "none"])
def test_other_modes_do_not_touch_the_sound(avatar: np.ndarray, mode: str) -> None:
    control = EchoControl(mode)  # type: ignore[arg-type]
    captured = with_noise(avatar)
    clean = through(control, captured, avatar)
    assert np.array_equal(clean, captured[: len(clean)])


def test_captured_sound_waits_for_a_reference_that_is_late_but_not_for_ever() -> None:
    control = EchoControl("none")
    control.play(np.full(FRAME * 2, 9000, np.int16), ns(0))
    frames = control.process(silence(0.1), 0, ns(0))
    assert [frame.first_sample for frame in frames] == [0, FRAME]
    control.play(np.full(FRAME * 2, 9000, np.int16), ns(FRAME * 2))
    frames = control.process(silence(0.05), 1600, ns(1600))
    assert [frame.first_sample for frame in frames] == [FRAME * 2, FRAME * 3]
    frames = control.process(silence(0.3), 2400, ns(2400))
    assert len(frames) == 45 - 4 - 20
    assert all(frame.playing for frame in frames)


def test_a_reference_that_is_over_is_not_waited_for() -> None:
    control = EchoControl("none", tail_s=0.2)
    control.play(np.full(FRAME, 9000, np.int16), ns(0), over=True)
    frames = control.process(silence(1.0), 0, ns(0))
    assert len(frames) == 100
    playing = [frame.playing for frame in frames]
    assert playing[:20] == [True] * 20
    assert not any(playing[30:])


def test_odd_chunks_lose_no_sample() -> None:
    sound = np.random.default_rng(0).integers(-9000, 9000, 5000).astype(np.int16)
    control = EchoControl("none")
    frames = [
        frame
        for first, part in chunks(sound, 177)
        for frame in control.process(part, first, ns(first))
    ]
    assert [frame.first_sample for frame in frames] == list(range(0, 4960, FRAME))
    assert np.array_equal(np.concatenate([frame.samples for frame in frames]), sound[:4960])


class TestReference:
    def test_jitter_does_not_tear_and_gaps_are_silent(self) -> None:
        reference = EchoReference()
        first = sample_at(START)
        reference.add(np.full(640, 1, np.int16), START)
        reference.add(np.full(640, 2, np.int16), ns(640) + 9_000_000)
        assert reference.end == first + 1280
        reference.add(np.full(640, 3, np.int16), ns(3280))
        heard = reference.read(first, 3920)
        assert heard.tolist() == [1] * 640 + [2] * 640 + [0] * 2000 + [3] * 640
        assert reference.read(first - 100, 200).tolist() == [0] * 100 + [1] * 100
        assert reference.read(first + 3900, 40).tolist() == [3] * 20 + [0] * 20

    def test_a_clock_that_goes_back_writes_over(self) -> None:
        reference = EchoReference()
        reference.add(np.full(3200, 1, np.int16), START)
        reference.add(np.full(640, 2, np.int16), ns(1600))
        first = sample_at(START)
        assert reference.end == first + 2240
        assert reference.read(first + 1590, 20).tolist() == [1] * 10 + [2] * 10

    def test_long_after_nothing_old_is_left(self) -> None:
        reference = EchoReference()
        reference.add(np.full(16000, 1, np.int16), START)
        reference.add(np.full(160, 2, np.int16), START + 3600 * SECOND)
        end = reference.end
        assert not reference.read(end - 160_000, 159_840).any()
        assert reference.awaited(end + 1)
        assert not reference.awaited(end)
        assert not reference.awaited(end + 5 * RATE)


class TestGate:
    def test_learns_the_echo_s_level_and_lets_only_more_through(self) -> None:
        gate = EchoGate(margin_db=6.0)
        random = np.random.default_rng(0)
        passed = [
            gate.passes(-45.0 + random.normal(0.0, 2.0), -25.0, visitor=False) for _ in range(400)
        ]
        assert not any(passed)
        assert -20.0 < gate.coupling_db < -14.0
        assert gate.passes(-32.0, -25.0, visitor=False)
        learned = gate.coupling_db
        assert gate.passes(-30.0, -25.0, visitor=True)
        assert gate.coupling_db == learned


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(audio_processing.importlib, "import_module", missing)
    with pytest.raises(EchoCancellerError, match="install the Python package livekit"):
        EchoControl("aec")
