"""A GPU's work in a stream of its own, beside that of other nodes in the process."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch

_FIRST = -1
"""Before the default stream, whose priority is 0."""


class OwnStream:
    """Work that a GPU does beside the rest, and before it wherever both wait; a CPU does as ever.

    Work in it waits for nothing that is done outside, nor the other way round: what goes in and out
    goes through the host (`HostCopies`).
    """

    def __init__(self, device: torch.device) -> None:
        """What was asked of the device before, in this thread, is done when this returns."""
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device, priority=_FIRST)
            torch.cuda.current_stream(device).synchronize()

    def work(self) -> AbstractContextManager[object]:
        """What is asked of the device within this context goes into the stream."""
        return torch.cuda.stream(self._stream)  # of None: as ever
