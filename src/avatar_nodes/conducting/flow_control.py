"""Says when the next block may be issued: credits bound the blocks on their way, a clock makes them
just in time."""

from __future__ import annotations

import math
from collections import deque

_REMEMBERED_BLOCKS = 12


class CreditWindow:
    """Bounds the blocks between the one who issues and the one who presents (`max_in_flight`)."""

    def __init__(self, *, max_in_flight: int, first_block: int) -> None:
        if max_in_flight < 1:
            raise ValueError(f"max_in_flight {max_in_flight}: expected at least 1")
        self._max_in_flight = max_in_flight
        self.restart(first_block)

    @property
    def next_block(self) -> int:
        """The block that will be issued next."""
        return self._next_block

    @property
    def in_flight(self) -> int:
        """Blocks issued whose credit has not come back."""
        return self._next_block - 1 - self._returned

    @property
    def open(self) -> bool:
        """True when one more block may be issued."""
        return self.in_flight < self._max_in_flight

    def restart(self, first_block: int) -> None:
        """Everything before `first_block` is done, nothing else is on its way."""
        self._next_block = first_block
        self._returned = first_block - 1

    def issue(self) -> int:
        """Count one more block as issued and return its number."""
        block = self._next_block
        self._next_block += 1
        return block

    def give_back(self, block: int) -> bool:
        """Blocks up to `block` have left the window; false when it is no news or no block of
        ours."""
        if not self._returned < block < self._next_block:
            return False
        self._returned = block
        return True


class JustInTime:
    """Says how long a block may wait before it must be issued to be presented on time.

    The time that a block takes through the pipeline, up to its first frames, is measured. Nearly
    the longest of the last blocks counts: a held frame is seen, a block that is early by some
    milliseconds is not; but one block that met an accident does not make all others early. The
    first block of an epoch is such an accident and is not measured, since everything is done for
    the first time.

    Args:
        block_s: length of a block [s].
        margin_s: how much before its due time a block should arrive [s].
    """

    def __init__(self, *, block_s: float, margin_s: float) -> None:
        self._block_s = block_s
        self._margin_s = margin_s
        self._issued: dict[int, float] = {}
        self._took: deque[float] = deque(maxlen=_REMEMBERED_BLOCKS)
        self._first_block = self._due_block = -1
        self._due = -math.inf

    @property
    def pipeline_s(self) -> float:
        """Time from issue to presenter to reckon with [s]; half a block while nothing is known."""
        if not self._took:
            return self._block_s / 2
        return sorted(self._took)[max(0, len(self._took) - 2)]

    def issued(self, block: int, now: float) -> None:
        """Note that `block` was issued at `now` [s, any monotonic clock]."""
        self._issued[block] = now

    def playable(self, block: int, now: float) -> bool:
        """Note that the presenter could show the first frame of `block` at `now`; false: that is
        no news."""
        start = self._issued.pop(block, None)
        if start is not None and block != self._first_block:
            self._took.append(now - start)
        for stale in [number for number in self._issued if number < block]:
            del self._issued[stale]
        return start is not None

    def next_due(self, block: int, due: float) -> None:
        """The presenter would show the first frame of `block` at `due`."""
        self._due_block, self._due = block, due

    def restart(self, first_block: int) -> None:
        """A new epoch: blocks on their way will not arrive, `first_block` is wanted at once."""
        self._issued.clear()
        self._first_block = self._due_block = first_block
        self._due = -math.inf

    def due(self, block: int, now: float) -> float:
        """When `block` will be presented, as far as is known at `now`.

        A due time that has passed is one at which the presenter had nothing to show: it waits, and
        everything after moves with it.
        """
        return max(self._due, now) + (block - self._due_block) * self._block_s

    def wait(self, block: int, now: float) -> float:
        """Seconds until `block` must be issued; 0 or less: now."""
        return self.due(block, now) - self.pipeline_s - self._margin_s - now
