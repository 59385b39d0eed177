"""Figures of accidents, from what was seen, said and heard."""

from __future__ import annotations

import numpy as np
import pytest

from avatar_nodes.bench.restart.figures import Accident, longest_still, speech_lost, table

LEAST = 100
SAID = np.random.default_rng(0).integers(1, 9000, 5000).astype(np.int16)
PAUSE = np.zeros(700, np.int16)


@pytest.mark.parametrize(
    ("heard", "lost", "doubled"),
    [([SAID], 0, 0), ([SAID[:2000], PAUSE, SAID[2000:]], 0, 0),
     ([SAID[:2000], PAUSE, SAID[2500:]], 500, 0), ([SAID[:2000]], 3000, 0), ([PAUSE], 5000, 0),
     ([SAID[:2000], PAUSE, SAID[1500:]], 0, 500),
     ([SAID[:1000], SAID[1200:3000], SAID[3300:]], 500, 0)],
)  # fmt: skip
def test_what_is_lost_of_the_speech(heard: list[np.ndarray], lost: int, doubled: int) -> None:
    assert speech_lost(SAID, np.concatenate(heard), least=LEAST) == (lost, doubled)


def test_the_longest_time_without_a_new_picture() -> None:
    changes = [0.0, 1.0, 1.4, 1.8, 4.0, 4.4]
    assert longest_still(changes, 1.5, 4.5) == pytest.approx((2.2, 4.0))
    assert longest_still(changes, 1.5, 9.0) == pytest.approx((4.6, 9.0)), "it never moved again"


def test_a_row_for_each_station() -> None:
    accidents = [
        Accident("decoder", {"started": 0.2, "moves": 2.0}, 1.5, 10.0, 0.0, 0.0),
        Accident("conductor", {"started": 0.3, "moves": 1.0}, 0.5, 10.0, 0.25, 0.0),
        Accident("decoder", {"started": 0.4, "moves": 3.0}, 2.5, 10.0, 0.0, 0.0),
    ]
    decoder, conductor = table(accidents)
    assert (decoder["station"], decoder["kills"], decoder["speech_went_on"]) == ("decoder", 2, 2)
    assert (decoder["back_s_median"], decoder["back_s_worst"]) == (2.5, 3.0)
    assert (decoder["still_s_median"], decoder["still_s_worst"]) == (2.0, 2.5)
    assert decoder["phases_s_median"] == {"started": 0.3, "moves": 2.5}
    assert (conductor["speech_went_on"], conductor["speech_lost_s_worst"]) == (0, 0.25)
