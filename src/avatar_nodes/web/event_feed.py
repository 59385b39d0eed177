"""Tells the pages the avatar's events: small JSON objects with a `type`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]

_DEPTH = 200
_KEPT = ("state", "persona", "recording", "recorded")


class EventReader:
    """One page's queue."""

    def __init__(self, feed: EventFeed, wants: Callable[[Event], bool]) -> None:
        self._feed = feed
        self._wants = wants
        self._events: deque[Event] = deque(maxlen=_DEPTH)
        self._arrived = asyncio.Event()

    def put(self, event: Event) -> None:
        """The feed's side."""
        if self._wants(event):
            self._events.append(event)
            self._arrived.set()

    async def next(self) -> Event:
        """The oldest event that waits, or the next to come."""
        while not self._events:
            self._arrived.clear()
            await self._arrived.wait()
        return self._events.popleft()

    def close(self) -> None:
        """No more events."""
        self._feed.leave(self)


class EventFeed:
    """Lives on the server's event loop. A page that joins late gets the present state, but no
    earlier words."""

    def __init__(self) -> None:
        self._readers: set[EventReader] = set()
        self._standing: dict[str, Event] = {}
        self._coming: tuple[Event, asyncio.TimerHandle] | None = None

    def put(self, event: Event) -> None:
        """An event for everybody who wants it."""
        if event["type"] in _KEPT:
            self._standing[event["type"]] = event
        for reader in self._readers:
            reader.put(event)

    def put_state(self, event: Event, in_s: float) -> None:
        """The avatar's state, in a while: unless another one comes before that time."""
        if self._coming is not None:
            coming, timer = self._coming
            if in_s and coming["state"] == event["state"]:
                return  # on its way; this one says only how far it has come
            timer.cancel()
            self._coming = None
        if in_s:
            timer = asyncio.get_running_loop().call_later(in_s, self._state_came)
            self._coming = event, timer
        else:
            self.put(event)

    def _state_came(self) -> None:
        if self._coming is not None:
            event, self._coming = self._coming[0], None
            self.put(event)

    def join(self, wants: Callable[[Event], bool]) -> EventReader:
        """A reader of all events from now on that it `wants`."""
        reader = EventReader(self, wants)
        for event in self._standing.values():
            reader.put(event)
        self._readers.add(reader)
        return reader

    def leave(self, reader: EventReader) -> None:
        """Once is enough."""
        self._readers.discard(reader)
