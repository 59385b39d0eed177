"""Chooses the version of the sink that a block attends to."""

from __future__ import annotations

from avatar_nodes.block.block import EpochStart, Sink


class SinkVersions:
    """The sinks that there are, and the one that a block attends to.

    Version 0 is the reference picture, version 1 what the stream itself made of it (Live Avatar,
    Adaptive Attention Sink). Blocks from `aas_from_block` on, counted from the stream's start,
    attend to version 1. None: without Adaptive Attention Sink every block attends to version 0.
    """

    def __init__(self, *, aas_from_block: int | None) -> None:
        self._aas_from_block = aas_from_block
        self._start: EpochStart | None = None
        self.known: dict[int, Sink] = {}
        """By version."""

    @property
    def complete(self) -> bool:
        """Whether the newest version that there can be is there."""
        return (0 if self._aas_from_block is None else 1) in self.known

    def wants(self, sink: Sink) -> bool:
        """Whether any block can attend to it."""
        return sink.version == 0 or self._aas_from_block is not None

    def add(self, sink: Sink) -> None:
        """A version is there."""
        self.known[sink.version] = sink

    def restart(self, reference: Sink) -> None:
        """Another reference picture: nothing of the stream before it counts."""
        self.known = {0: reference}
        self._start = None

    def begin(self, start: EpochStart) -> None:
        """A new epoch. The stream's own sink holds once block 0 was shown; before, it is made
        again."""
        self._start = start
        if start.first_block == start.stream_start:
            self.known.pop(1, None)

    def version_for(self, block: int) -> int | None:
        """The version that `block` attends to; None: it has to wait for the stream's own sink.

        The first block of an epoch that knows only the reference makes version 1, so it attends to
        the reference.

        Raises:
            ValueError: no epoch has begun.
        """
        if self._aas_from_block is None:
            return 0
        if self._start is None:
            raise ValueError("a block attends to a sink only in an epoch, none has begun")
        start = self._start
        if start.sink is not None and start.sink.version == 1:
            return 1
        if block == start.first_block or block - start.stream_start < self._aas_from_block:
            return 0
        return 1 if 1 in self.known else None
