"""Packets leave evenly, late ones at once, and the pace follows who sends them."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.web.sending_pace import SendingPace

PACKET_S = 0.02


def departures(arrivals: np.ndarray) -> np.ndarray:
    """When packets leave that come at these times, each after the one before it has left."""
    pace, now, left = SendingPace(), 0.0, []
    for number, arrival in enumerate(arrivals):
        now = max(now, arrival)
        behind = PACKET_S * ((arrivals[number + 1 :] <= now).sum())
        now += pace.sound_waits_s(number * PACKET_S, now, behind_s=behind)
        left.append(now)
    return np.array(left)


def test_two_packets_a_frame_leave_one_by_one() -> None:
    arrivals = np.repeat(np.arange(50) * 0.04, 2)
    assert np.diff(departures(arrivals)) == pytest.approx(np.full(99, PACKET_S))


def test_one_late_frame_is_made_up_for() -> None:
    arrivals = np.repeat(np.arange(50) * 0.04, 2)
    arrivals[40:42] += 0.05
    assert np.diff(departures(arrivals)) == pytest.approx(np.full(99, PACKET_S)), "margin"
    arrivals[60:62] += 0.1
    left = departures(arrivals)
    assert (left >= arrivals).all(), "nothing leaves before it is there"
    assert left[60] == arrivals[60], "a late packet does not wait"
    assert left[-1] - left[0] == pytest.approx(99 * PACKET_S, abs=0.004)


def test_a_picture_leaves_with_its_sound() -> None:
    pace = SendingPace()
    assert pace.sound_waits_s(0.0, 7.0, behind_s=0.02) == pytest.approx(0.06)
    assert pace.picture_waits_s(0.0, 7.01) == pytest.approx(0.05)
    assert pace.picture_waits_s(0.04, 7.2) == 0.0, "a late picture does not wait"
    assert pace.sound_waits_s(0.04, 7.05, behind_s=0.0) == pytest.approx(0.05), "nor moves the pace"


@pytest.mark.parametrize("shift_s", [0.3, -0.3])
def test_it_follows_a_sender_who_is_later_or_earlier_for_good(shift_s: float) -> None:
    arrivals = 1.0 + np.repeat(np.arange(600) * 0.04, 2)
    arrivals[200:] += shift_s
    waited = departures(arrivals) - arrivals
    assert (waited >= 0).all()
    assert waited[-100:].max() <= 0.165
    assert np.diff(departures(arrivals)[-100:]).max() <= 0.03


def test_a_stop_of_the_graph_is_not_waited_for() -> None:
    arrivals = np.repeat(np.arange(100) * 0.04, 2)
    arrivals[100:] += 3600.0
    waited = departures(arrivals) - arrivals
    assert waited.max() <= 0.1
