"""Lays out the watermark's pattern: the bit that each cell of the picture carries, and check bits.

The pattern is a tile of 32x32 cells of 8x8 pixels, laid over the picture again and again from its
upper left corner. Half of the cells, scattered, are the pilot: the same in every mark, so that it
can be found. The other half carry 32 bits, 16 cells each: a number of 16 bits and its CRC.
"""

from __future__ import annotations

import binascii
import hashlib
from dataclasses import dataclass
from functools import cache

import numpy as np

CELL = 8
"""Pixels on a side: 4 chroma pixels, one transform block of H.264's chroma."""
TILE_CELLS = 32
TILE = CELL * TILE_CELLS
"""Pixels after which the pattern repeats."""
BITS = 32
LARGEST_NUMBER = (1 << 16) - 1

_CELLS = TILE_CELLS * TILE_CELLS
_PILOT_CELLS = _CELLS // 2
_NAME = b"avatar_nodes watermark 1 "


@dataclass(frozen=True)
class Layout:
    """The use of each of the tile's 1024 cells, row by row; the same everywhere and for ever."""

    chips: np.ndarray
    """float32 [1024], +1 or -1: the sign of a cell, for a bit that is one."""
    pilot: np.ndarray
    """bool [1024]: the cell belongs to the pilot."""
    bit: np.ndarray
    """int64 [1024]: the bit that the cell carries, 0 to 31; without meaning for the pilot."""


@cache
def layout() -> Layout:
    """The layout, drawn once from a hash, which every machine and version computes alike."""
    order = np.argsort(np.frombuffer(_random(b"cells", 4 * _CELLS), "<u4"), kind="stable")
    signs = np.unpackbits(np.frombuffer(_random(b"chips", _CELLS // 8), np.uint8))
    pilot = np.zeros(_CELLS, bool)
    pilot[order[:_PILOT_CELLS]] = True
    bit = np.zeros(_CELLS, np.int64)
    bit[order[_PILOT_CELLS:]] = np.arange(_CELLS - _PILOT_CELLS) % BITS
    return Layout(np.where(signs, 1, -1).astype(np.float32), pilot, bit)


@cache
def pilot_tile() -> np.ndarray:
    """The pilot alone in pixels, float32 [256, 256]: +1, -1, and 0 in cells of the number."""
    return _pixels(layout().chips * layout().pilot)


def signs_of(number: int) -> np.ndarray:
    """The whole tile in pixels for a number, float32 [256, 256], +1 or -1.

    Raises:
        ValueError: the number is not between 0 and 65535.
    """
    bits = np.where(bits_of(number), 1.0, -1.0)
    drawn = layout()
    values = np.where(drawn.pilot, 1.0, bits[drawn.bit])
    return _pixels((drawn.chips * values).astype(np.float32))


def bits_of(number: int) -> np.ndarray:
    """The number and its CRC-16 (CCITT), uint8 [32], most significant bit first.

    Raises:
        ValueError: the number is not between 0 and 65535.
    """
    if not 0 <= number <= LARGEST_NUMBER:
        raise ValueError(f"number {number}: expected 0 to {LARGEST_NUMBER}")
    data = number.to_bytes(2, "big")
    check = binascii.crc_hqx(data, 0xFFFF).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(data + check, np.uint8))


def number_of(bits: np.ndarray) -> int | None:
    """The number in 32 bits; None: its check bits are wrong."""
    number = int.from_bytes(np.packbits(bits.astype(np.uint8)).tobytes()[:2], "big")
    return number if np.array_equal(bits_of(number), bits) else None


def _pixels(cells: np.ndarray) -> np.ndarray:
    tile = cells.reshape(TILE_CELLS, TILE_CELLS).astype(np.float32)
    return np.kron(tile, np.ones((CELL, CELL), np.float32))


def _random(what: bytes, count: int) -> bytes:
    return hashlib.shake_256(_NAME + what).digest(count)
