"""What a listener that died had not understood."""

from __future__ import annotations

import pytest

from avatar_nodes.hearing.unheard import Unheard

RATE = 16_000
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def ns(seconds: float) -> int:
    return START + round(seconds * SECOND)


def sample(seconds: float) -> int:
    return round(seconds * RATE)


class Sent(Unheard):
    """Ten seconds of sound were sent, in chunks of 40 ms."""

    def __init__(self, *, echo_s: float = 0.0, kept_s: float = 60.0) -> None:
        super().__init__(sample_rate=RATE, echo_s=echo_s, kept_s=kept_s)
        self.send(0.0, 10.0)

    def send(self, begin: float, end: float) -> None:
        for chunk in range(round(begin * 25), round(end * 25)):
            self.sent(chunk * 640, ns(chunk / 25))

    def hears(self, at: float, *, active: bool, since: float) -> None:
        self.judged(active=active, since_sample=sample(since), stamp_ns=ns(at))

    @property
    def begins(self) -> float:
        return self.first_sample / RATE


@pytest.fixture
def unheard() -> Sent:
    unheard = Sent()
    unheard.hears(0.2, active=False, since=0.0)
    unheard.hears(2.0, active=True, since=1.8)
    unheard.hears(4.4, active=False, since=4.0)
    return unheard


def test_a_turn_is_told_again_until_its_final_text_is_there(unheard: Sent) -> None:
    assert unheard.begins == pytest.approx(1.3)
    unheard.understood(ns(1.8))
    assert unheard.begins == pytest.approx(4.1), "not what was answered"
    unheard.hears(6.0, active=False, since=4.0)
    assert unheard.begins == pytest.approx(5.5)


def test_the_next_turn_does_not_begin_within_the_one_before_it(unheard: Sent) -> None:
    unheard.hears(4.6, active=True, since=4.45)
    unheard.understood(ns(1.8))
    assert unheard.begins == pytest.approx(4.1)


def test_two_turns_without_text_are_told_again_from_the_first(unheard: Sent) -> None:
    unheard.hears(6.0, active=True, since=5.8)
    assert unheard.begins == pytest.approx(1.3)
    unheard.understood(ns(1.8))
    assert unheard.begins == pytest.approx(5.3)
    unheard.hears(8.0, active=False, since=7.5)
    unheard.understood(ns(5.8))
    assert unheard.begins == pytest.approx(7.6)


def test_a_later_text_settles_what_was_before_it(unheard: Sent) -> None:
    unheard.hears(6.0, active=True, since=5.8)
    unheard.understood(ns(5.8))
    assert unheard.begins == pytest.approx(5.5)


def test_what_somebody_wrote_meanwhile_settles_nothing(unheard: Sent) -> None:
    unheard.understood(ns(3.0))
    assert unheard.begins == pytest.approx(1.3)


def test_nothing_in_which_the_avatar_was_heard_is_told_again() -> None:
    unheard = Sent(echo_s=1.0)
    unheard.avatar_heard(ns(3.0))
    unheard.hears(3.5, active=True, since=2.5)
    assert unheard.begins == pytest.approx(4.0)
    deaf_to_it = Sent(echo_s=0.0)
    deaf_to_it.avatar_heard(ns(3.0))
    deaf_to_it.hears(3.5, active=True, since=2.5)
    assert deaf_to_it.begins == pytest.approx(2.0)


def test_who_is_told_again_and_dies_at_once_is_told_again_from_there(unheard: Sent) -> None:
    unheard.begin_again(sample(1.3))
    unheard.send(1.3, 10.0)
    assert unheard.begins == pytest.approx(1.3)
    unheard.hears(2.1, active=True, since=1.8)
    assert unheard.begins == pytest.approx(1.3)


def test_a_pause_of_the_source_moves_no_sample() -> None:
    unheard = Sent()
    for chunk in range(250, 300):
        unheard.sent(chunk * 640, ns(60.0 + chunk / 25))
    unheard.hears(69.0, active=False, since=0.0)
    assert unheard.begins == pytest.approx(9.5), "10 s were sent before the pause"
    unheard.hears(71.0, active=False, since=0.0)
    assert unheard.begins == pytest.approx(10.5)


def test_memory_is_bounded() -> None:
    unheard = Sent(kept_s=2.0)
    unheard.send(10.0, 1000.0)
    assert len(unheard._sent) <= 52
    unheard.hears(1.0, active=False, since=0.0)
    assert 997.0 < unheard.begins < 998.1, "as far back as is known"
