"""Memory that grows is told from memory that was warming up."""

from __future__ import annotations

import pytest

from avatar_nodes.memory_trend import MemoryTrend


def trend(*, leak_mib_per_h: float, minutes: int = 60) -> MemoryTrend:
    """Two processes that grow by 300 MiB in the first ten minutes; one of them leaks."""
    found = MemoryTrend()
    for minute in range(minutes + 1):
        warm = 300.0 * min(1.0, minute / 10.0)
        found.note(60.0 * minute, {
            "ears": 200.0 + warm + minute % 2,
            "mind": 500.0 + warm + leak_mib_per_h * minute / 60.0,
        })  # fmt: skip
    return found


def test_a_leak_shows_and_a_warm_up_does_not() -> None:
    leaks, keeps = trend(leak_mib_per_h=40.0), trend(leak_mib_per_h=0.0)
    assert leaks.slopes()["mind"] == pytest.approx(40.0, abs=0.1)
    assert abs(leaks.slopes()["ears"]) < 2.0
    assert leaks.slopes()["total"] == pytest.approx(40.0, abs=2.0)
    assert leaks.flat is False and keeps.flat is True
    sizes = leaks.at_times()["mind"]
    assert sizes == {"start": 500.0, "middle": 820.0, "end": 840.0}


def test_minutes_say_nothing_of_hours() -> None:
    assert trend(leak_mib_per_h=0.0, minutes=19).flat is None
    assert MemoryTrend().flat is None and MemoryTrend().slopes() == {}
    assert MemoryTrend([0.0], [{"a": 1.0}]).slopes() == {}


def test_every_sample_is_kept_of_processes_that_were_there_all_the_time() -> None:
    found = MemoryTrend()
    found.note(0.0, {"a": 1.0, "b": 2.0, "late": 5.0})
    found.note(7.5, {"a": 3.04, "b": 2.0})
    assert found.as_dict() == {
        "elapsed_s": [0.0, 7.5], "a": [1.0, 3.0], "b": [2.0, 2.0], "total": [3.0, 5.0],
    }  # fmt: skip
