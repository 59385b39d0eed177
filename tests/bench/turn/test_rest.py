"""Whether an avatar was stuck, from what it showed and who was heard."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_msgs.msg import AvatarState
from avatar_nodes.bench.turn.figures import TurnFigures
from avatar_nodes.bench.turn.rest import Rest, find_rest
from avatar_nodes.bench.turn.witness import TurnWitness
from avatar_nodes.wire.stamp import stamp_of

SECOND = 1_000_000_000
START = 100 * SECOND
IDLE, LISTENING, THINKING, SPEAKING = range(4)


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


def rest(
    states: list[tuple[float, int]], *, sound: tuple[float, float] | None = None,
    spoken: tuple[float, float] = (1.0, 3.0), end: float = 60.0,
) -> Rest:  # fmt: skip
    return find_rest(
        [(at(since), state) for since, state in states],
        sound=[] if sound is None else [(at(sound[0]), at(sound[1]))],
        spoken=[(at(spoken[0]), at(spoken[1]))],
        begin=at(0.0),
        end=at(end),
    )


def test_an_answer_is_no_stuck_state() -> None:
    states = [(-9.0, IDLE), (1.2, LISTENING), (3.4, THINKING), (3.8, SPEAKING), (8.0, IDLE)]
    found = rest(states, sound=(4.6, 8.7))
    assert found == Rest(back_s=0.0, waited_s=pytest.approx(1.6), alone_s=pytest.approx(0.4))
    assert not found.stuck


def test_idle_throughout_is_rest() -> None:
    assert rest([(-9.0, IDLE)]) == Rest(0.0, 0.0, 0.0)
    assert rest([]) == Rest(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("states", "sound"),
    [
        ([(1.2, LISTENING), (3.4, THINKING), (33.4, IDLE)], None),
        ([(1.2, LISTENING), (3.4, THINKING), (3.8, SPEAKING), (25.0, IDLE)], (4.6, 5.0)),
    ],
    ids=["nothing was thought of", "the reply's end was not noticed"],
)
def test_what_only_a_watchdog_ended_was_stuck(
    states: list[tuple[float, int]], sound: tuple[float, float] | None
) -> None:
    found = rest([(-9.0, IDLE), *states], sound=sound)
    assert found.back_s is not None and found.back_s >= 20.0 and found.stuck
    assert found.back_s == found.waited_s


def test_a_long_wait_before_the_answer_counts_though_the_end_was_in_time() -> None:
    found = rest(
        [(-9.0, IDLE), (3.4, THINKING), (20.0, SPEAKING), (24.0, IDLE)], sound=(21.0, 24.5)
    )
    assert found.back_s == 0.0 and found.waited_s == pytest.approx(17.6) and found.stuck


def test_listening_without_a_visitor_is_stuck_though_the_avatar_is_heard() -> None:
    found = rest([(-9.0, IDLE), (1.2, LISTENING), (9.0, IDLE)], sound=(3.0, 9.0))
    assert found.waited_s < 1.0 and found.alone_s == pytest.approx(6.0) and found.stuck


def test_what_does_not_rest_at_the_end_is_stuck() -> None:
    found = rest([(-9.0, IDLE), (1.2, LISTENING)], end=4.0)
    assert found.back_s is None and found.stuck


def test_the_witness_counts_what_the_conductor_ended() -> None:
    witness = TurnWitness("/avatar")
    reasons = ["", "listening for more than 20 s", "listening for more than 20 s", "",
               "held speaking for more than 2 s", "", "listening for more than 0.5 s",
               "some other reason"]  # fmt: skip
    for number, reason in enumerate(reasons):
        msg = AvatarState(state=LISTENING if number < 3 else IDLE, reason=reason)
        msg.header.stamp = stamp_of(at(10.0 * number))
        witness._on_state(msg)
    assert witness.watchdogs == {"listening": 2, "held speaking": 1}
    found = witness.rest([(at(0.0), at(1.0))], at(0.0), at(80.0))
    assert found.alone_s == pytest.approx(29.0) and found.stuck
    figures = TurnFigures(rests=[found, Rest(0.5, 1.0, 0.2)], watchdogs=witness.watchdogs)
    told = figures.as_dict()
    assert told["rest_s_max"] == pytest.approx(29.0)
    assert told["rest_s_p50"] == pytest.approx(14.75)
    assert told["listened_alone_s_max"] == pytest.approx(29.0)
    assert told["watchdogs"] == {"held speaking": 1, "listening": 2}
