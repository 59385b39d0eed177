"""Encoded clips on disk, as many of them in memory as there is room for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

HELD_BYTES = 8 << 30


class ClipFiles:
    """The arrays of `.npz` files, each read when it is asked for first, and kept while there is
    room; those of the tiny world are all kept, some thousand of the large model's are not.
    """

    def __init__(self, paths: Sequence[Path], *, held_bytes: int = HELD_BYTES) -> None:
        self._paths = list(paths)
        self._held: dict[int, dict[str, np.ndarray]] = {}
        self._room = held_bytes

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """Raises IndexError: there are not so many."""
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
