"""When a mouth has closed is read from pictures of a rendered person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from avatar_nodes.bench.turn.mouth_watch import MouthWatch
from avatar_nodes.world.identity import Identity
from avatar_nodes.world.motion import Performance
from avatar_nodes.world.renderer import render

FRAME = 40_000_000


def picture(seed: int, aperture: float) -> np.ndarray:
    still = Performance.neutral()
    opened = replace(still, aperture=np.full_like(still.aperture, aperture))
    return np.asarray(render(Identity.sample(seed), opened, 0))


@pytest.mark.parametrize("seed", [3, 40])
def test_a_consonant_is_no_end_of_speech(seed: int) -> None:
    opened, closed = picture(seed, 0.5), picture(seed, 0.0)
    watch = MouthWatch()
    for frame, speaks in enumerate([True] * 4 + [False] * 3 + [True] * 3 + [False] * 9):
        watch.see(frame * FRAME, opened if speaks else closed)
    assert watch.closed_from(2 * FRAME, 100 * FRAME) == 10 * FRAME
    assert watch.closed_from(12 * FRAME, 100 * FRAME) == 12 * FRAME, "it was closed already"
    assert watch.closed_from(2 * FRAME, 14 * FRAME) is None, "not long enough before the end"


def test_without_pictures_nothing_is_known() -> None:
    assert MouthWatch().closed_from(0, 100 * FRAME) is None
