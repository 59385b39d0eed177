"""Looks for the watermark's pilot in a picture, at any scale and with any crop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from avatar_nodes.marking.pattern import BITS, CELL, TILE, TILE_CELLS, layout, pilot_tile

_LOWEST_SCALE, _HIGHEST_SCALE, _SCALE_STEP = 0.5, 2.2, 1.0075
_REFINEMENTS = 6
_WINDOW_CELLS = 1.375
"""Window of the local contrast, of all that were tried the best on natural pictures."""
_FLOOR = 1.0
_SEARCH_SIDE = 2 * TILE
_FLAT = 1e-9
_CERTAIN = 1e-12
_GAUSSIAN_MAD = 1.4826


@dataclass(frozen=True)
class Alignment:
    """The best fit of the pattern."""

    scale: float
    """Size of the picture, compared with when it was marked."""
    row: int
    """Place of the tile's upper edge [pixels of the marked picture, 0 to 255]."""
    column: int
    score: float
    """Correlation with the pilot, in standard deviations of that at all other places."""
    hypotheses: int
    """Scales and places that were tried for it."""

    @property
    def chance(self) -> float:
        """Probability that an unmarked picture scores as high somewhere (0 to 1, an upper bound);
        the correlation is a sum of many independent cells, so it is normally distributed."""
        return min(1.0, self.hypotheses * 0.5 * math.erfc(self.score / math.sqrt(2.0)))


def blue_difference(frame: np.ndarray) -> np.ndarray:
    """Cb of a uint8 RGB frame [H, W, 3], float32 [H, W] around 0 (BT.601, full range)."""
    weights = np.array([[-0.168736, -0.331264, 0.5]], np.float32)
    return cv2.transform(frame.astype(np.float32), weights)


def windows() -> tuple[int, ...]:
    """Window sizes that pictures of different scales need [pixels], odd."""
    return tuple(sorted({window_of(scale) for scale in (0.5, 0.75, 1.0, 1.5, 2.0)}))


def window_of(scale: float) -> int:
    """The window for a picture of this scale: one of few, so that few contrasts are computed."""
    coarse = min((0.5, 0.75, 1.0, 1.5, 2.0), key=lambda known: abs(math.log(scale / known)))
    return 2 * round((coarse * _WINDOW_CELLS * CELL - 1) / 2) + 1


def local_contrast(plane: np.ndarray, window: int) -> np.ndarray:
    """Difference of a plane float32 [H, W] from its neighbourhood, weighed the more, the calmer
    that is.

    In Gaussian noise of differing strength the best detector divides by the variance; edges and
    textures of the picture, which hide the mark, then count for little.
    """
    size = (window, window)
    detail = plane - cv2.blur(plane, size)
    return detail / (cv2.blur(detail * detail, size) + _FLOOR)


def align(contrasts: dict[int, np.ndarray]) -> Alignment:
    """Find the pilot: in place, then anywhere, then at other scales.

    Args:
        contrasts: mean local contrast float32 [H, W] for each of `windows()`.
    """
    place, whole = in_place(contrasts), _at_scale(contrasts, 1.0)
    found = max(place, whole, key=_certainty)
    if found.chance < _CERTAIN:
        return found
    scales = _scales()
    best = max((_at_scale(contrasts, scale, centre=True) for scale in scales), key=_score)
    fine = np.geomspace(best.scale / _SCALE_STEP, best.scale * _SCALE_STEP, 2 * _REFINEMENTS + 1)
    finest = max((_at_scale(contrasts, float(scale)) for scale in fine), key=_score)
    tried = (len(scales) + len(fine)) * TILE * TILE
    searched = Alignment(finest.scale, finest.row, finest.column, finest.score, tried)
    return max(found, searched, key=_certainty)


def in_place(contrasts: dict[int, np.ndarray], at: int = 0) -> Alignment:
    """The pilot where a picture neither scaled nor cropped has it, or rolled by `at` pixels."""
    surface, noise = _surface(contrasts[window_of(1.0)])
    return Alignment(1.0, at, at, float(surface[at, at]) / noise, 1)


def soft_bits(contrasts: dict[int, np.ndarray], where: Alignment) -> np.ndarray:
    """The 32 bits, float32 [32]: the sign is the bit, the size how sure it is."""
    tile = _fold(_rescaled(contrasts, where.scale, centre=False))
    tile = np.roll(tile, (-where.row, -where.column), (0, 1))
    cells = tile.reshape(TILE_CELLS, CELL, TILE_CELLS, CELL).sum(axis=(1, 3)).ravel()
    drawn = layout()
    carriers = ~drawn.pilot
    values = (cells * drawn.chips)[carriers]
    return np.bincount(drawn.bit[carriers], values, minlength=BITS).astype(np.float32)


def _certainty(where: Alignment) -> tuple[float, float]:
    return -where.chance, where.score


def _score(where: Alignment) -> float:
    return where.score


def _scales() -> list[float]:
    steps = round(math.log(_HIGHEST_SCALE / _LOWEST_SCALE) / math.log(_SCALE_STEP))
    return [_LOWEST_SCALE * _SCALE_STEP**step for step in range(steps + 1)]


def _at_scale(contrasts: dict[int, np.ndarray], scale: float, *, centre: bool = False) -> Alignment:
    surface, noise = _surface(_rescaled(contrasts, scale, centre=centre))
    row, column = np.unravel_index(int(np.argmax(surface)), surface.shape)
    score = float(surface[row, column]) / noise
    return Alignment(scale, int(row), int(column), score, TILE * TILE)


def _rescaled(contrasts: dict[int, np.ndarray], scale: float, *, centre: bool) -> np.ndarray:
    """The contrast at the size of the marked picture; only its middle, if that is enough."""
    contrast = contrasts[window_of(scale)]
    if centre:
        side = round(_SEARCH_SIDE * scale)
        top, left = (max(0, (length - side) // 2) for length in contrast.shape)
        contrast = contrast[top : top + side, left : left + side]
    if scale == 1.0:
        return contrast
    height, width = (max(1, round(length / scale)) for length in contrast.shape)
    method = cv2.INTER_AREA if scale > 1.0 else cv2.INTER_LINEAR
    return cv2.resize(contrast, (width, height), interpolation=method)


def _surface(contrast: np.ndarray) -> tuple[np.ndarray, float]:
    """Correlation with the pilot at each of the tile's places, [256, 256], and its noise."""
    surface = np.fft.irfft2(np.fft.rfft2(_fold(contrast)) * _pilot_spectrum())
    noise = _GAUSSIAN_MAD * float(np.median(np.abs(surface - np.median(surface))))
    return surface, max(noise, _FLAT)


@cache
def _pilot_spectrum() -> np.ndarray:
    return np.conj(np.fft.rfft2(pilot_tile()))


def _fold(contrast: np.ndarray) -> np.ndarray:
    """All tiles of a picture on top of each other, [256, 256]."""
    height, width = contrast.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    whole = np.zeros((rows * TILE, columns * TILE), np.float32)
    whole[:height, :width] = contrast
    return whole.reshape(rows, TILE, columns, TILE).sum(axis=(0, 2))
