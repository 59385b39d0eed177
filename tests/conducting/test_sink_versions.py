"""Which version of the sink a block attends to."""

from __future__ import annotations

import pytest
from support.streams import random_tensor

from avatar_nodes.block.block import EpochStart, Sink
from avatar_nodes.conducting.sink_versions import SinkVersions

LATENT = random_tensor(1, (4, 1, 2, 2))
REFERENCE = Sink(0, LATENT, "")
OWN = Sink(1, LATENT, "talk", 7)


def versions(aas_from_block: int | None, *sinks: Sink) -> SinkVersions:
    made = SinkVersions(aas_from_block=aas_from_block)
    for sink in sinks:
        made.add(sink)
    return made


def begin(first_block: int, *, sink: Sink = REFERENCE, stream_start: int = 0) -> EpochStart:
    return EpochStart(
        epoch=9, first_block=first_block, seed=3, sink=sink, stream_start=stream_start
    )


def test_from_aas_from_block_on_it_is_the_stream_s_own() -> None:
    of = versions(2, REFERENCE)
    of.begin(begin(0))
    of.add(OWN)
    assert [of.version_for(block) for block in range(4)] == [0, 0, 1, 1]


def test_aas_from_block_counts_from_the_stream_s_start() -> None:
    of = versions(2, REFERENCE)
    of.begin(begin(100, stream_start=100))
    of.add(OWN)
    assert [of.version_for(block) for block in range(100, 104)] == [0, 0, 1, 1]


@pytest.mark.parametrize("sinks", [(REFERENCE,), (REFERENCE, OWN)])
def test_without_adaptive_sink_it_is_the_reference(sinks: tuple[Sink, ...]) -> None:
    of = versions(None, *sinks)
    of.begin(begin(5))
    assert [of.version_for(block) for block in (5, 6, 10**6)] == [0, 0, 0]
    assert of.wants(REFERENCE) and not of.wants(OWN)


def test_a_block_waits_for_it() -> None:
    of = versions(1, REFERENCE)
    of.begin(begin(0))
    assert [of.version_for(block) for block in range(2)] == [0, None]
    assert of.wants(OWN)
    of.add(OWN)
    assert of.version_for(1) == 1


def test_an_epoch_that_has_only_the_reference_does_not_wait_for_itself() -> None:
    of = versions(1, REFERENCE)
    of.begin(begin(5))
    assert [of.version_for(block) for block in (5, 6)] == [0, None]


def test_an_epoch_that_begins_with_it_uses_it() -> None:
    of = versions(9, REFERENCE, OWN)
    of.begin(begin(5, sink=OWN))
    assert of.version_for(5) == 1


def test_a_stream_that_begins_again_makes_its_own_again() -> None:
    of = versions(1, REFERENCE, OWN)
    of.begin(begin(0))
    assert of.known == {0: REFERENCE}
    assert of.version_for(1) is None
    of.add(OWN)
    of.begin(begin(1, sink=OWN))
    assert of.known == {0: REFERENCE, 1: OWN}


def test_after_another_reference_picture_no_older_sink_counts() -> None:
    another = Sink(0, LATENT + 1.0, "")
    of = versions(1, REFERENCE, OWN)
    of.begin(begin(3, sink=OWN))
    of.restart(another)
    assert of.known == {0: another}
    of.begin(begin(4, sink=another, stream_start=4))
    assert [of.version_for(block) for block in (4, 5)] == [0, None]


def test_what_is_complete_depends_on_the_adaptive_sink() -> None:
    assert not versions(None).complete
    assert versions(None, REFERENCE).complete
    assert not versions(1, REFERENCE).complete
    assert versions(1, REFERENCE, OWN).complete


def test_outside_an_epoch_no_block_attends_to_anything() -> None:
    with pytest.raises(ValueError, match="none has begun"):
        versions(1, REFERENCE, OWN).version_for(5)
