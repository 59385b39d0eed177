"""Which version of memory a block attends to."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from support.streams import epoch_start

from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.denoising.memory_store import KNOWN_MEMORIES


def versions(first_block: int, stream_start: int, known: Iterable[int]) -> MemoryVersions:
    memory = MemoryVersions(lag=3)
    memory.begin(epoch_start(1, first_block, stream_start=stream_start))
    for version in known:
        memory.add(version)
    return memory


def test_it_follows_from_the_block_s_number() -> None:
    memory = versions(10, 10, range(1, 9))
    assert [memory.version_for(block) for block in range(10, 16)] == [0, 0, 0, 1, 2, 3]


def test_a_block_waits_for_what_is_not_there_yet() -> None:
    memory = versions(0, 0, [1])
    assert memory.version_for(3) == 1
    assert memory.version_for(4) is None
    memory.add(2)
    assert memory.version_for(4) == 2


def test_a_memory_that_lost_everything_is_taken_from_its_first_version_on() -> None:
    memory = versions(20, 0, [20])
    assert memory.version_for(20) == 20
    memory.add(21)
    memory.add(22)
    assert memory.version_for(22) == 20
    assert memory.version_for(24) == 22


def test_a_version_that_was_lost_is_not_waited_for() -> None:
    assert versions(20, 0, [18, 20]).version_for(21) == 20
    assert versions(20, 0, [18]).version_for(21) is None


def test_a_new_epoch_begins_without_versions() -> None:
    memory = versions(0, 0, [1, 2, 3])
    memory.begin(epoch_start(2, 5, stream_start=0))
    assert memory.version_for(5) is None


def test_without_a_memory_no_block_waits() -> None:
    memory = MemoryVersions(lag=0)
    memory.begin(epoch_start(1, 0))
    assert [memory.version_for(block) for block in (0, 1, 100)] == [0, 0, 0]


def test_only_the_newest_are_known() -> None:
    memory = versions(0, 0, range(1, 2 * KNOWN_MEMORIES + 1))
    assert memory.version_for(3) == KNOWN_MEMORIES + 1


def test_a_lag_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="lag"):
        MemoryVersions(lag=-1)


def test_a_version_that_does_not_come_is_overdue_after_a_while() -> None:
    memory = versions(0, 0, [1])
    assert not memory.overdue(3, 0.0, 2.0)
    assert [memory.overdue(4, now, 2.0) for now in (1.0, 2.9, 3.1)] == [False, False, True]
    memory.add(2)
    assert not memory.overdue(4, 9.0, 2.0)
    assert not memory.overdue(5, 10.0, 2.0), "another wait"
    memory.begin(epoch_start(2, 5, stream_start=0))
    assert not memory.overdue(5, 20.0, 2.0), "another epoch"
