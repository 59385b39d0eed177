"""How far sound has moved against picture, from RTP stamps that begin anywhere and turn over."""

from __future__ import annotations

import pytest

from avatar_nodes.bench.kiosk.playout_offset import AUDIO_RATE, VIDEO_RATE, Playout, PlayoutOffset

TURN = 2**32


def samples(start_s: float, *, late_s: float = 0.0, count: int = 20) -> list[Playout]:
    """A connection whose sound is `late_s` later than its picture; half a second apart. Its video
    stamps turn over after 10 s, its audio stamps after 20."""
    found = []
    for number in range(count):
        now = start_s + number / 2
        video = round((now - 10.0) * VIDEO_RATE) % TURN
        audio = round((now - late_s - 20.0) * AUDIO_RATE) % TURN
        found.append(Playout(None, video, 1000 * now, audio, 1000 * now))
    return found


def test_an_even_stream_has_not_moved() -> None:
    offset = PlayoutOffset()
    assert offset.moved_ms(samples(0.0)) is None, "not settled"
    assert offset.moved_ms(samples(15.0)) == 0.0
    assert offset.moved_ms(samples(25.0)) == pytest.approx(0.0, abs=0.1)
    assert offset.moved_ms(samples(3600.0)) == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("late_s", [0.03, -0.05])
def test_sound_that_becomes_later_or_earlier(late_s: float) -> None:
    offset = PlayoutOffset()
    offset.moved_ms(samples(0.0, count=60))
    assert offset.moved_ms(samples(60.0, late_s=late_s)) == pytest.approx(1000 * late_s, abs=0.1)


def test_one_odd_sample_does_not_count() -> None:
    offset = PlayoutOffset()
    offset.moved_ms(samples(0.0, count=60))
    odd = [*samples(30.0, count=9), *samples(35.0, late_s=0.4, count=1)]
    assert offset.moved_ms(odd) == pytest.approx(0.0, abs=0.1)


def test_nothing_played_is_nothing_known() -> None:
    assert PlayoutOffset().moved_ms([]) is None
    assert PlayoutOffset().estimate_ms(samples(0.0)) is None
