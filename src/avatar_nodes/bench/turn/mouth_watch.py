"""Reads from presented pictures how far a mouth is open, and when it has closed."""

from __future__ import annotations

import numpy as np

from avatar_nodes.judging.aperture import measure_aperture
from avatar_nodes.world.identity import Identity
from avatar_nodes.world.renderer import mouth_search_box

_OPEN = 0.1
"""Aperture above which a mouth speaks; at rest it is about 0.01."""
_CLOSED_FRAMES = 5
"""So many closed frames in a row are no consonant (m, b, p: two or three)."""


class MouthWatch:
    """Takes the pictures of a person of the tiny world, in order."""

    def __init__(self) -> None:
        # All persons' mouths rest in the same place.
        self._box = mouth_search_box(Identity.sample(0))
        self._seen: list[tuple[int, float]] = []

    def see(self, stamp: int, frame: np.ndarray) -> None:
        """A picture, uint8 RGB [H, W, 3], presented at `stamp` [ns]."""
        self._seen.append((stamp, measure_aperture(frame, self._box)))

    @property
    def apertures(self) -> dict[int, float]:
        """Opening of the mouth in every picture, 0..1, by stamp."""
        return dict(self._seen)

    def closed_from(self, begin: int, end: int) -> int | None:
        """Stamp of the first picture between two moments from which on the mouth stays closed.

        None: it does not, or there are no pictures.
        """
        since, count = begin, 0
        for stamp, aperture in self._seen:
            if not begin <= stamp < end:
                continue
            if aperture > _OPEN:
                count = 0
                continue
            since = since if count else stamp
            count += 1
            if count == _CLOSED_FRAMES:
                return since
        return None
