"""Reads the watermark back, from one picture or from many of the same video."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from avatar_nodes.marking.correlation import (
    align,
    blue_difference,
    in_place,
    local_contrast,
    soft_bits,
    window_of,
    windows,
)
from avatar_nodes.marking.pattern import TILE, number_of, pilot_tile
from avatar_nodes.marking.watermark import CB_STEP

Verdict = Literal["marked", "not marked", "cannot tell"]

FALSE_ALARM = 1e-9
"""An unmarked file is called marked with at most this probability, if the correlation is normally
distributed; its tails are a little heavier (docs/marking.md)."""
_DOUBTFUL = 1e-3
_SMALLEST_SIDE = 96
_TEST_STRENGTH = 0.5
_TEST_PLACE = TILE // 2
_SURE = 0.95
_COLOURLESS = 1.0
"""Largest Cb of pictures in which there is no colour, and therefore no mark to be seen."""
_NEEDED_SCORE = 6.0
"""In place, at which the probability of a false alarm falls below FALSE_ALARM."""
_CORRECTED_BITS = 4


@dataclass(frozen=True)
class WatermarkReading:
    """Result of reading the pictures."""

    verdict: Verdict
    confidence: float
    """0 to 1. Marked: one less the probability that unmarked pictures would look so. Not marked:
    the probability that a mark of half the usual strength would have been seen in them. Cannot
    tell: 0."""
    number: int | None
    """The mark's number; None: not marked, or its check bits do not agree."""
    score: float
    """Correlation with the pilot, in standard deviations."""
    scale: float
    """Size of the pictures compared with when they were marked; 1 where nothing was found."""
    pictures: int
    reason: str
    """One line."""


class WatermarkReader:
    """Adds up the pictures given to `add`, and judges them in `read`.

    All pictures must be of one size. More pictures of a moving scene make the reading surer; copies
    of one picture do not.
    """

    def __init__(self) -> None:
        self._sums: dict[int, np.ndarray] = {}
        self._tested: np.ndarray | None = None
        self._test_mark = np.zeros((0, 0), np.float32)
        self._most_colour = 0.0
        self.pictures = 0

    def add(self, frame: np.ndarray) -> None:
        """Take a uint8 RGB frame [H, W, 3].

        Raises:
            ValueError: of another size than those before.
        """
        plane = blue_difference(frame)
        if self._tested is None:
            self._sums = {window: np.zeros_like(plane) for window in windows()}
            self._tested = np.zeros_like(plane)
            self._test_mark = _test_mark(*plane.shape)
        if plane.shape != self._tested.shape:
            raise ValueError(f"a picture of {plane.shape}, after pictures of {self._tested.shape}")
        for window, total in self._sums.items():
            total += local_contrast(plane, window)
        self._tested += local_contrast(plane + self._test_mark, window_of(1.0))
        self._most_colour = max(self._most_colour, float(np.abs(plane).max()))
        self.pictures += 1

    def read(self) -> WatermarkReading:
        """Judge what was added so far."""
        if self._tested is None:
            return self._undecided("there is no picture")
        if min(self._tested.shape) < _SMALLEST_SIDE:
            return self._undecided(f"pictures below {_SMALLEST_SIDE} pixels hold too little of it")
        if self._most_colour < _COLOURLESS:
            return self._undecided("the pictures have no colours, and the watermark is one")
        found = align(self._sums)
        if found.chance < FALSE_ALARM:
            number = _decode(soft_bits(self._sums, found))
            confidence = 1.0 - found.chance
            reason = "the watermark's pattern is there"
            return WatermarkReading(
                "marked", confidence, number, found.score, found.scale, self.pictures, reason
            )
        if found.chance < _DOUBTFUL:
            return self._undecided("there may be a faint trace of the watermark", found.score)
        seen = self._chance_to_see()
        if seen < _SURE:
            reason = "the pictures are too busy, flat or poor in colour to show a watermark"
            return self._undecided(reason, found.score)
        reason = "nothing of the watermark is there: never marked, or the mark was destroyed"
        return WatermarkReading("not marked", seen, None, found.score, 1.0, self.pictures, reason)

    def _chance_to_see(self) -> float:
        """Probability that a mark of half strength would have been found in these pictures: they
        bear one as a test, elsewhere than a true mark would be."""
        assert self._tested is not None
        score = in_place({window_of(1.0): self._tested}, at=_TEST_PLACE).score
        return 0.5 * math.erfc((_NEEDED_SCORE - score) / math.sqrt(2.0))

    def _undecided(self, reason: str, score: float = 0.0) -> WatermarkReading:
        return WatermarkReading("cannot tell", 0.0, None, score, 1.0, self.pictures, reason)


def _test_mark(height: int, width: int) -> np.ndarray:
    tile = np.roll(pilot_tile(), (_TEST_PLACE, _TEST_PLACE), (0, 1))
    tiles = (-(-height // TILE), -(-width // TILE))
    return (_TEST_STRENGTH * CB_STEP * np.tile(tile, tiles)[:height, :width]).astype(np.float32)


def _decode(bits: np.ndarray) -> int | None:
    """The number in soft bits; up to four of the least sure ones may be wrong (Chase, 1972)."""
    hard = (bits > 0).astype(np.uint8)
    doubtful = np.argsort(np.abs(bits))[:_CORRECTED_BITS]
    for count in range(_CORRECTED_BITS + 1):
        for places in itertools.combinations(doubtful, count):
            tried = hard.copy()
            tried[list(places)] ^= 1
            if (number := number_of(tried)) is not None:
                return number
    return None
