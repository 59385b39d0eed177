"""Takes one of several replies, so that none comes twice in a row."""

from __future__ import annotations

import random
from collections.abc import Sequence


class Rotation:
    """Each list of replies is gone through in a random order, then in another one that does not
    begin with the reply that was given last.

    Args:
        seed: the same one gives the same order; None: another at every start.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._left: dict[str, list[str]] = {}
        self._last: dict[str, str] = {}

    def next(self, key: str, replies: Sequence[str]) -> str:
        """The next reply of the list that `key` names; `replies` must not be empty."""
        left = [reply for reply in self._left.get(key, ()) if reply in replies]
        if not left:
            left = self._random.sample(replies, len(replies))
            if len(left) > 1 and left[-1] == self._last.get(key):
                left[0], left[-1] = left[-1], left[0]
        self._left[key] = left
        reply = self._last[key] = left.pop()
        return reply
