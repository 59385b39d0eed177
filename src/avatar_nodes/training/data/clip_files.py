"""Reads encoded clips from disk and keeps as many in memory as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

HELD_BYTES = 8 << 30


class ClipFiles:
    """The arrays of `.npz` files, each read when first asked for, and kept while there is room. The
    tiny world's files are all kept; some thousand of the large model's are not.
    """

    def __init__(self, paths: Sequence[Path], *, held_bytes: int = HELD_BYTES) -> None:
        self._paths = list(paths)
        self._held: dict[int, dict[str, np.ndarray]] = {}
        self._room = held_bytes

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """All arrays of a file. Raises IndexError for a number out of range."""
        if number in self._held:
            return self._held[number]
        with np.load(self._paths[number]) as file:
            clip = dict(file)
        size = sum(array.nbytes for array in clip.values())
        if size <= self._room:
            self._held[number] = clip
            self._room -= size
        return clip

    def one(self, number: int, name: str) -> np.ndarray:
        """One array of a file; the others are not read."""
        with np.load(self._paths[number]) as file:
            array: np.ndarray = file[name]
        return array
