"""Pairs pictures and sound with the same stamp, in the order of their stamps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SET_BACK_NS = 5_000_000_000


@dataclass(frozen=True)
class Pair:
    """One frame with its sound."""

    stamp_ns: int
    frame: np.ndarray
    """uint8 [H, W, 3]."""
    sound: np.ndarray
    """int16 [n]."""
    last: bool
    """True: the stream ends with it."""
    missing: int
    """Frames lost between the pair before and this one."""


class StampPairing:
    """Joins two topics by stamp. A half whose other half never comes is dropped when later pairs
    have waited for it too long.

    A stamp far before the last one handed out means that a clock was set back: a new order begins.

    Args:
        fps: frames per second, to count what is missing.
        patience: complete pairs that may wait behind an incomplete one.
    """

    def __init__(self, *, fps: int, patience: int = 50) -> None:
        self._period_ns = 1_000_000_000 / fps
        self._patience = patience
        self._frames: dict[int, np.ndarray] = {}
        self._sounds: dict[int, tuple[np.ndarray, bool]] = {}
        self._newest = -1
        self.given_up = 0

    @property
    def waiting(self) -> int:
        """Halves and pairs that have not been handed out."""
        return len(self._frames.keys() | self._sounds.keys())

    def add_frame(self, stamp_ns: int, frame: np.ndarray) -> list[Pair]:
        """Take a frame; returns the pairs now complete, in order."""
        if self._is_new(stamp_ns):
            self._frames[stamp_ns] = frame
        return self._ready()

    def add_sound(self, stamp_ns: int, sound: np.ndarray, *, last: bool) -> list[Pair]:
        """Take a frame's sound; returns the pairs now complete, in order."""
        if self._is_new(stamp_ns):
            self._sounds[stamp_ns] = (sound, last)
        return self._ready()

    def flush(self) -> list[Pair]:
        """Nothing more comes: the complete pairs that are left, in order."""
        return self._ready(patience=0)

    def _is_new(self, stamp_ns: int) -> bool:
        if stamp_ns < self._newest - _SET_BACK_NS:
            self._frames.clear()
            self._sounds.clear()
            self._newest = -1
        return stamp_ns > self._newest

    def _ready(self, patience: int | None = None) -> list[Pair]:
        patience = self._patience if patience is None else patience
        pairs = []
        for stamp in sorted(self._frames.keys() | self._sounds.keys()):
            if stamp not in self._frames or stamp not in self._sounds:
                complete = len(self._frames.keys() & self._sounds.keys())
                if not complete or 0 < patience >= complete:
                    break
                self._frames.pop(stamp, None)
                self._sounds.pop(stamp, None)
                self.given_up += 1
                continue
            pairs.append(self._pair(stamp))
        return pairs

    def _pair(self, stamp: int) -> Pair:
        steps = round((stamp - self._newest) / self._period_ns) if self._newest >= 0 else 1
        sound, last = self._sounds.pop(stamp)
        self._newest = stamp
        return Pair(stamp, self._frames.pop(stamp), sound, last, max(0, steps - 1))
