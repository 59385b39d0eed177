"""Chooses the version of memory that a block attends to."""

from __future__ import annotations

from avatar_nodes.block.block import EpochStart
from avatar_nodes.denoising.memory_store import KNOWN_MEMORIES


class MemoryVersions:
    """The versions of memory that there are, and the one that a block attends to.

    Version v is made of the stream's first v blocks, and a block attends to what was there `lag`
    blocks before it; so the version follows from the block's number, however fast the graph runs.
    lag 0: there is no memory.
    """

    def __init__(self, *, lag: int) -> None:
        if lag < 0:
            raise ValueError(f"lag must be at least 0, got {lag}")
        self.lag = lag
        self._stream_start = 0
        self._known: set[int] = set()
        self._missed_since: float | None = None

    def begin(self, start: EpochStart) -> None:
        """A new epoch: memory is told anew, in the order of its versions."""
        self._stream_start = start.stream_start
        self._known.clear()
        self._missed_since = None

    def add(self, version: int) -> None:
        """A version of this epoch is there."""
        self._known.add(version)
        if len(self._known) > KNOWN_MEMORIES:
            self._known.remove(min(self._known))

    def version_for(self, block: int) -> int | None:
        """The version that `block` attends to; 0: none yet; None: it has to wait for it.

        One that a memory node has lost never comes; then the next one counts.
        """
        wanted = block - self._stream_start + 1 - self.lag
        if self.lag == 0 or wanted <= 0:
            return 0
        return min((version for version in self._known if version >= wanted), default=None)

    def overdue(self, block: int, now: float, timeout_s: float) -> bool:
        """Whether `block`, the next one, has waited for its version for more than `timeout_s`; to
        be asked often. Without one no block would ever be made again."""
        if self.version_for(block) is not None:
            self._missed_since = None
        elif self._missed_since is None:
            self._missed_since = now
        return self._missed_since is not None and now - self._missed_since > timeout_s
