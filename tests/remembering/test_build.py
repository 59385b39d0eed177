"""Memory that would leave a gap in what a block sees is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from avatar_nodes.model.device import AssemblyError
from avatar_nodes.remembering.build import build_memory
from avatar_nodes.remembering.settings import MemorySettings

TINY = str(Path(__file__).parents[2] / "checkpoints" / "tiny")


@pytest.mark.parametrize(("past_blocks", "lag"), [(2, 1), (2, 3), (2, 4), (0, 4), (7, 8)])
def test_what_is_remembered_ends_where_the_past_begins(past_blocks: int, lag: int) -> None:
    """Or where it ended in training: the shipped model's lag was 4."""
    settings = MemorySettings(checkpoint=TINY, past_blocks=past_blocks, lag=lag)
    assert build_memory(settings).lag == lag


def test_a_block_that_is_in_neither() -> None:
    with pytest.raises(AssemblyError, match="neither in memory nor one of the 2 past") as refused:
        build_memory(MemorySettings(checkpoint=TINY, past_blocks=2, lag=5))
    assert str(refused.value).startswith("memory.lag: at most 4, got 5")
