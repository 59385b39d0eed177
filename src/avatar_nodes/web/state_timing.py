"""Delays a state until it is seen: blocks are issued a while before their pictures are shown."""

from __future__ import annotations

_ACTED = ("speaking", "idle")
_LONGEST_S = 3.0


class StateTiming:
    """Blocks have a length; the presenter says when the one after its last is due.

    Listening and thinking are answers to the visitor and told at once; speaking and being idle
    again are told when the block is shown that they begin with.
    """

    def __init__(self, *, block_s: float) -> None:
        self._block_s = block_s
        self._block = -1
        self._due_s = 0.0

    def note(self, *, block: int, due_s: float) -> None:
        """Block `block` is due at this time [s]; 0: no clock runs."""
        self._block, self._due_s = block, due_s

    def in_s(self, state: str, *, block: int, now_s: float) -> float:
        """In how many seconds a state is shown that began with `block`, from 0 to 3."""
        if state not in _ACTED or not self._due_s:
            return 0.0
        due_s = self._due_s + (block - self._block) * self._block_s
        return min(max(0.0, due_s - now_s), _LONGEST_S)
