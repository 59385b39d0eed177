"""Limits the wait for a connection's first request, and for a reader who does not read."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from avatar_nodes.web.gate import Gate
from avatar_nodes.web.guard import ADMIT

REQUEST_S = 10.0
"""Within this time the head of the first request must be there."""
READING_S = 20.0
"""Within this time somebody who is sent something must have read some of it."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's own protocol, with limits to the time of a first request and of reading.

    The application's state tells its guard how to let the connection stay (`Gate.admit`).
    """

    def __init__(self, *, gate: Gate, **options: Any) -> None:
        super().__init__(**options)
        self.app_state = {**self.app_state, ADMIT: lambda: gate.admit(self._peer)}
        self._peer: tuple[Any, ...] = ()
        self._request_limit: asyncio.TimerHandle | None = None
        self._reading_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A browser, or somebody who only takes up room."""
        super().connection_made(transport)
        self._peer = (transport.get_extra_info("peername") or ())[:2]
        self._request_limit = self.loop.call_later(REQUEST_S, self._give_up_request)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        self.resume_writing()
        if self._request_limit is not None:
            self._request_limit.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """What is sent is not read as fast."""
        super().pause_writing()
        self._reading_limit = self.loop.call_later(READING_S, self._give_up_reader)

    def resume_writing(self) -> None:
        """Enough of it has been read."""
        if self._reading_limit is not None:
            self._reading_limit.cancel()
            self._reading_limit = None
        super().resume_writing()

    def _give_up_request(self) -> None:
        if self.cycle is None and self._is_ours() and not self.transport.is_closing():
            self.transport.close()

    def _give_up_reader(self) -> None:
        if self._is_ours():
            self.transport.abort()

    def _is_ours(self) -> bool:
        """It has not become a WebSocket, whose pings find out who has gone."""
        return self.transport.get_protocol() is self
