"""Limits the wait for a connection's first request, so that idle ones make room for others."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_S = 10.0
"""Within this time the head of the first request must be there."""


class ImpatientProtocol(H11Protocol):
    """uvicorn's own protocol, with a limit to the time of a first request."""

    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A browser, or somebody who only takes up room."""
        super().connection_made(transport)
        self._limit = self.loop.call_later(REQUEST_S, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        if self._limit is not None:
            self._limit.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        became_a_socket = self.transport.get_protocol() is not self
        if self.cycle is None and not became_a_socket and not self.transport.is_closing():
            self.transport.close()
