"""Memory that grows is told from memory that was warming up."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.bench.memory_trend import MemoryTrend, Slope


def trend(*, leak_mib_per_h: float, minutes: int = 60, swing_mib: float = 0.0) -> MemoryTrend:
    """Two processes that grow by 300 MiB in the first ten minutes; one of them leaks, the other one
    may swing up and down every eight minutes."""
    found = MemoryTrend()
    for minute in range(minutes + 1):
        warm = 300.0 * min(1.0, minute / 10.0)
        found.note(60.0 * minute, {
            "ears": 200.0 + warm + minute % 2 + swing_mib * (minute // 4 % 2),
            "mind": 500.0 + warm + leak_mib_per_h * minute / 60.0,
        })  # fmt: skip
    return found


def test_a_leak_shows_and_a_warm_up_does_not() -> None:
    leaks, keeps = trend(leak_mib_per_h=40.0), trend(leak_mib_per_h=0.0)
    assert leaks.slopes()["mind"] == Slope(pytest.approx(40.0, abs=0.1), 0.0)
    assert abs(leaks.slopes()["ears"].mib_per_h) < 2.0
    assert leaks.slopes()["total"].mib_per_h == pytest.approx(40.0, abs=2.0)
    assert leaks.flat is False and keeps.flat is True
    sizes = leaks.at_times()["mind"]
    assert sizes == {"start": 500.0, "middle": 820.0, "end": 840.0}


def test_swings_that_hide_a_leak_leave_it_open() -> None:
    """Nor do they make one."""
    for leak_mib_per_h in (0.0, 40.0):
        total = trend(leak_mib_per_h=leak_mib_per_h, swing_mib=40.0)
        slope = total.slopes()["total"]
        assert abs(slope.mib_per_h - leak_mib_per_h) < 2.0 * slope.error
        assert total.flat is None
    longer = {leak: trend(leak_mib_per_h=leak, swing_mib=40.0, minutes=360) for leak in (0.0, 40.0)}
    assert (longer[0.0].flat, longer[40.0].flat) == (True, False)


def test_the_error_is_that_of_independent_samples_where_they_are() -> None:
    rng = np.random.default_rng(0)
    hours = np.linspace(0.0, 1.0, 400)
    found = [Slope.through(hours, 5.0 * hours + rng.normal(0.0, 3.0, 400)) for _ in range(200)]
    slopes, errors = (
        np.array([getattr(line, n) for line in found]) for n in ("mib_per_h", "error")
    )
    assert slopes.mean() == pytest.approx(5.0, abs=0.2)
    assert errors.mean() == pytest.approx(slopes.std(), rel=0.15)


def test_what_swings_slowly_counts_for_fewer_samples() -> None:
    rng = np.random.default_rng(0)
    hours = np.linspace(0.0, 1.0, 400)
    found = []
    for _ in range(200):
        noise = np.zeros(400)
        for at in range(1, 400):
            noise[at] = 0.8 * noise[at - 1] + rng.normal()
        found.append(Slope.through(hours, noise))
    true = np.std([line.mib_per_h for line in found])
    assert np.mean([line.error for line in found]) == pytest.approx(true, rel=0.2)


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
