"""An epoch begins when all stages are there, and anew when one was restarted or a block is lost."""

from __future__ import annotations

import pytest

from avatar_nodes.conducting.epoch_keeper import EpochKeeper


def keeper(*stages: str) -> EpochKeeper:
    return EpochKeeper(stages or ("a", "b"), heartbeat_timeout_s=2.0, block_timeout_s=10.0)


def beat(to: EpochKeeper, now: float, ready: bool = True, **instances: str) -> None:
    for name, instance in instances.items():
        to.status(name, instance=instance, ready=ready, epoch=to.epoch, now=now)


def running() -> EpochKeeper:
    watched = keeper()
    beat(watched, 0.0, a="1", b="1")
    assert watched.begin(100) == 100
    beat(watched, 0.0, a="1", b="1")
    return watched


def test_begins_when_all_are_there() -> None:
    watched = keeper()
    beat(watched, 0.0, ready=False, a="1")
    assert watched.reason_for_new_epoch(0.0) is None
    assert watched.waiting_for(0.0) == ["a", "b"]
    beat(watched, 0.1, ready=False, b="1", stranger="1")
    assert watched.reason_for_new_epoch(0.1) == "every stage is there"
    watched.begin(100)
    assert not watched.may_issue(0.1)
    beat(watched, 0.2, a="1")
    assert watched.waiting_for(0.2) == ["b"]
    beat(watched, 0.2, b="1")
    assert watched.may_issue(0.2)
    assert watched.reason_for_new_epoch(0.2) is None


def test_a_restarted_stage_begins_a_new_epoch() -> None:
    watched = running()
    beat(watched, 1.0, ready=False, b="2")
    assert watched.restarted == ["b"]
    assert not watched.may_issue(1.0)
    assert watched.reason_for_new_epoch(1.0) == "b restarted"
    assert watched.begin(100) == 101
    beat(watched, 1.1, a="1", b="2")
    assert watched.may_issue(1.1)


def test_a_silent_stage_stops_the_issue_and_no_epoch_begins_without_it() -> None:
    watched = running()
    beat(watched, 5.0, a="1")
    assert watched.lost(5.0) == ["b"]
    assert not watched.may_issue(5.0)
    watched.issued(0.0)
    assert watched.reason_for_new_epoch(50.0) is None
    beat(watched, 5.1, b="1")
    assert watched.may_issue(5.1)


def test_an_overdue_block_begins_a_new_epoch_with_growing_patience() -> None:
    watched = running()
    watched.issued(0.0)
    watched.issued(5.0)
    beat(watched, 9.9, a="1", b="1")
    assert watched.reason_for_new_epoch(9.9) is None
    beat(watched, 10.1, a="1", b="1")
    assert watched.reason_for_new_epoch(10.1) == "a block is overdue"
    watched.begin(100)
    watched.issued(10.1)
    beat(watched, 25.0, a="1", b="1")
    assert watched.reason_for_new_epoch(25.0) is None
    beat(watched, 30.2, a="1", b="1")
    assert watched.reason_for_new_epoch(30.2) == "a block is overdue"
    watched.begin(100)
    watched.progressed(31.0, in_flight=1)
    beat(watched, 41.1, a="1", b="1")
    assert watched.reason_for_new_epoch(41.1) == "a block is overdue"


def test_nothing_under_way_is_never_overdue() -> None:
    watched = running()
    watched.issued(0.0)
    watched.progressed(1.0, in_flight=0)
    beat(watched, 99.0, a="1", b="1")
    assert watched.reason_for_new_epoch(99.0) is None


def test_a_restarted_keeper_is_ahead_of_its_past() -> None:
    watched = keeper()
    watched.status("a", instance="1", ready=True, epoch=5000, now=0.0)
    watched.status("b", instance="1", ready=True, epoch=4000, now=0.0)
    assert watched.highest_seen == 5000
    assert watched.begin(100) == 5001


def test_no_stage_is_an_error() -> None:
    with pytest.raises(ValueError, match="no stage"):
        EpochKeeper([], heartbeat_timeout_s=1.0, block_timeout_s=1.0)


def test_an_epoch_can_be_asked_for_once_and_waits_for_all() -> None:
    watched = running()
    watched.ask("another reference picture")
    assert watched.reason_for_new_epoch(3.0) is None, "nobody was heard of lately"
    beat(watched, 3.0, a="1", b="1")
    assert watched.reason_for_new_epoch(3.0) == "another reference picture"
    watched.begin(100)
    beat(watched, 3.1, a="1", b="1")
    assert watched.reason_for_new_epoch(3.1) is None


def test_a_stage_that_could_not_begin_an_epoch_is_asked_again_with_growing_patience() -> None:
    watched = running()
    watched.begin(100)
    for now, reason in ((1.0, None), (10.9, None), (11.1, "b did not begin the epoch")):
        beat(watched, now, a="1")
        watched.status("b", instance="1", ready=True, epoch=100, now=now)  # the one before
        assert watched.reason_for_new_epoch(now) == reason
    watched.begin(100)
    for now in (11.2, 31.1):
        beat(watched, now, ready=False, a="1", b="1")
        assert watched.reason_for_new_epoch(now) is None
    beat(watched, 31.2, a="1", b="1")
    assert watched.may_issue(31.2) and watched.reason_for_new_epoch(31.3) is None


def test_a_stage_that_is_away_is_not_waited_for_in_vain() -> None:
    """Until it is back no epoch would be better; then its time begins anew."""
    watched = running()
    watched.begin(100)
    for now in (1.0, 50.0):
        beat(watched, now, a="1")
        assert watched.reason_for_new_epoch(now) is None
    for now in (50.1, 60.0):
        beat(watched, now, ready=False, a="1", b="1")
        assert watched.reason_for_new_epoch(now) is None


def test_a_stage_that_lost_its_epoch_begins_a_new_one_at_once() -> None:
    watched = running()
    watched.status("b", instance="1", ready=False, epoch=0, now=1.0)
    assert watched.waiting_for(1.0) == ["b"]
    assert watched.reason_for_new_epoch(1.0) == "b lost the epoch"
    watched.begin(100)
    beat(watched, 1.1, a="1", b="1")
    assert watched.may_issue(1.1) and watched.reason_for_new_epoch(1.1) is None


def test_one_that_takes_its_old_epoch_up_again_has_lost_it_all_the_same() -> None:
    watched = running()
    watched.status("b", instance="1", ready=False, epoch=0, now=1.0)
    beat(watched, 1.1, b="1")
    assert not watched.may_issue(1.1)
    assert watched.reason_for_new_epoch(1.1) == "b lost the epoch"


def test_what_a_stage_said_of_earlier_epochs_is_no_failure() -> None:
    """A conductor that comes back is told again what every stage latched."""
    watched = running()
    for epoch, ready in ((98, True), (0, False), (99, True), (0, False), (100, True)):
        watched.status("b", instance="1", ready=ready, epoch=epoch, now=1.0)
        assert watched.reason_for_new_epoch(1.0) is None
    assert watched.may_issue(1.0)


def test_a_stage_that_fails_again_and_again_is_asked_with_growing_patience() -> None:
    watched = running()

    def fails(now: float) -> str | None:
        beat(watched, now, a="1", b="1")
        watched.status("b", instance="1", ready=False, epoch=0, now=now)
        return watched.reason_for_new_epoch(now)

    assert fails(1.0) == "b lost the epoch"
    watched.begin(100)
    assert [fails(now) for now in (1.1, 11.0, 11.2)] == [None, None, "b lost the epoch"]
    watched.begin(100)
    assert [fails(now) for now in (11.3, 31.2, 31.4)] == [None, None, "b lost the epoch"]
    watched.begin(100)
    watched.progressed(32.0, in_flight=0)
    assert fails(32.1) == "b lost the epoch"


def test_a_stage_that_never_held_an_epoch_has_lost_none() -> None:
    watched = keeper()
    beat(watched, 0.0, ready=False, a="1", b="1")
    watched.begin(100)
    beat(watched, 0.1, a="1")
    watched.status("b", instance="1", ready=False, epoch=0, now=0.1)
    assert watched.reason_for_new_epoch(0.1) is None
