"""Checks that every presented frame has its sound: pairs the stamps of both as they come."""

from __future__ import annotations

import struct
from typing import Any

_NANOSECONDS = 1_000_000_000
_SETTLED_NS = _NANOSECONDS


def stamp_of_serialized(message: bytes) -> int:
    """The stamp [ns] of a serialized message that begins with a header, such as an Image, without
    its pixels."""
    little = message[1] & 1
    seconds, nanoseconds = struct.unpack_from("<iI" if little else ">iI", message, 4)
    return int(seconds) * _NANOSECONDS + int(nanoseconds)


class StreamPairing:
    """Takes the stamps [ns] of pictures and of sound in any order; they must be the same."""

    def __init__(self) -> None:
        self._pictures: set[int] = set()
        self._sounds: set[int] = set()
        self._pairs = 0
        self._first = 0
        self._newest = 0
        self._origin: tuple[int, int] | None = None
        self._drift_ns = 0

    def picture(self, stamp: int) -> None:
        """A frame."""
        self._pair(stamp, self._pictures, self._sounds)

    def sound(self, stamp: int, first_sample: int, rate: int) -> None:
        """A frame's sound; its place in the stream, `first_sample` at `rate`, tells its time."""
        self._pair(stamp, self._sounds, self._pictures)
        place = first_sample * _NANOSECONDS // rate
        if self._origin is None:
            self._origin = (stamp, place)
        began, first = self._origin
        self._drift_ns = max(self._drift_ns, abs(stamp - began - (place - first)))

    def summary(self) -> dict[str, Any]:
        """`pairs`; `unpaired`: stamps of one without the other; `stamp_drift_ms_max`: how far the
        stamps were from the count of samples. What came in the first or the last second may lack
        its other half yet, and is left out."""
        alone = [
            stamp
            for stamp in self._pictures | self._sounds
            if self._first + _SETTLED_NS < stamp < self._newest - _SETTLED_NS
        ]
        return {
            "pairs": self._pairs,
            "unpaired": len(alone),
            "stamp_drift_ms_max": round(self._drift_ns / 1e6, 3),
        }

    def _pair(self, stamp: int, mine: set[int], others: set[int]) -> None:
        self._first = self._first or stamp
        self._newest = max(self._newest, stamp)
        if stamp in others:
            others.remove(stamp)
            self._pairs += 1
        else:
            mine.add(stamp)
