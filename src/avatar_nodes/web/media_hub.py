"""Hands every frame with its sound to all viewers; a slow one loses the oldest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import cached_property

import cv2
import numpy as np

DEPTH = 25
"""Slots that wait for a viewer at most: a second."""
_STEP_NS = 40_000_000
"""About what lies between two slots."""


Mark = Callable[[np.ndarray], np.ndarray]
"""Puts marks on a frame, uint8 RGB [H, W, 3]; returns another one, or the same."""


class MediaSlot:
    """One frame, uint8 RGB [H, W, 3], the sound that belongs to it, int16 [n], and their stamp.

    mark: what is to be done to the frame before anybody sees it; done only if somebody does.
    """

    def __init__(
        self, stamp_ns: int, frame: np.ndarray, sound: np.ndarray, mark: Mark | None = None
    ) -> None:
        self.stamp_ns = stamp_ns
        self.time_ns = stamp_ns
        """The stamp by a time that is never set back; the hub's."""
        self._frame = frame
        self.sound = sound
        self._mark = mark

    @cached_property
    def frame(self) -> np.ndarray:
        """The frame as it is shown."""
        return self._frame if self._mark is None else self._mark(self._frame)

    @cached_property
    def planes(self) -> np.ndarray:
        """The frame as YUV 4:2:0 (BT.601), uint8 [H * 3 / 2, W]; made once for all viewers."""
        return cv2.cvtColor(self.frame, cv2.COLOR_RGB2YUV_I420)

    @cached_property
    def jpeg(self) -> bytes:
        """The frame as JPEG; made once for all viewers."""
        _, data = cv2.imencode(".jpg", self.frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])
        return data.tobytes()


class ReaderClosedError(Exception):
    """No slot comes any more."""


class MediaReader:
    """One viewer's queue of slots."""

    def __init__(self, hub: MediaHub, depth: int) -> None:
        self._hub = hub
        self._slots: deque[MediaSlot] = deque(maxlen=depth)
        self._arrived = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Slots that this viewer was too slow for."""

    def put(self, slot: MediaSlot) -> None:
        """The hub's side."""
        self.dropped += len(self._slots) == self._slots.maxlen
        self._slots.append(slot)
        self._arrived.set()

    async def next(self) -> MediaSlot:
        """The oldest slot that waits, or the next to come. Raises ReaderClosedError."""
        while not self._slots:
            if self._closed:
                raise ReaderClosedError
            self._arrived.clear()
            await self._arrived.wait()
        return self._slots.popleft()

    def waiting(self) -> list[MediaSlot]:
        """Take all waiting slots, oldest first."""
        slots = list(self._slots)
        self._slots.clear()
        return slots

    def close(self) -> None:
        """No more slots."""
        self._hub.leave(self)
        self._closed = True
        self._arrived.set()


class MediaHub:
    """Lives on the server's event loop."""

    def __init__(self) -> None:
        self._readers: set[MediaReader] = set()
        self._newest_ns: int | None = None
        self._set_back_ns = 0
        self.slots = 0
        """Slots handed out so far."""

    def put(self, slot: MediaSlot) -> None:
        """A slot for everybody."""
        self.slots += 1
        slot.time_ns = self._steady(slot.stamp_ns)
        for reader in self._readers:
            reader.put(slot)

    def join(self, *, depth: int = DEPTH) -> MediaReader:
        """A reader of all slots from now on."""
        reader = MediaReader(self, depth)
        self._readers.add(reader)
        return reader

    def leave(self, reader: MediaReader) -> None:
        """Once is enough."""
        self._readers.discard(reader)

    def _steady(self, stamp_ns: int) -> int:
        """A stamp by a time that goes on where the clock was set back, for all viewers alike."""
        newest_ns, at_ns = self._newest_ns, stamp_ns + self._set_back_ns
        if newest_ns is not None and at_ns < newest_ns:
            at_ns = newest_ns + _STEP_NS
            self._set_back_ns = at_ns - stamp_ns
        self._newest_ns = at_ns
        return at_ns
