"""Limits the connections, so that those which ask nothing shut nobody out."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from typing import Any

from avatar_nodes.web.rate_limits import network_of

MOST_STRANGERS = 64
"""Connections that have shown no right yet."""
MOST_ADMITTED = 128
BUFFER_BYTES = 256 << 10
"""What waits in the system for a reader: three seconds of pictures of a usual size."""
_Address = tuple[Any, ...]


class Gate(socket.socket):
    """A listening socket, as asyncio takes one. When too many strangers are there, the address that
    has the most of them loses its oldest; so does one whose handshake (TLS) is not over."""

    def __init__(self, family: int, kind: int, proto: int) -> None:
        super().__init__(family, kind, proto)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)  # heirs have it, too
        self._strangers: dict[_Address, socket.socket] = {}
        self._admitted: dict[_Address, socket.socket] = {}

    def accept(self) -> tuple[socket.socket, _Address]:
        """The next connection, a stranger's."""
        connection, address = super().accept()
        self._forget_closed()
        if len(self._strangers) >= MOST_STRANGERS:
            self._turn_away()
        self._strangers[address[:2]] = connection
        return connection, address

    def admit(self, address: _Address) -> bool:
        """A connection, (host, port), has shown its right, and may stay; false: there are too many
        already."""
        if address in self._admitted:
            return True
        self._forget_closed()
        if len(self._admitted) >= MOST_ADMITTED:
            return False
        if (connection := self._strangers.pop(address, None)) is not None:
            self._admitted[address] = connection
        return True

    def _turn_away(self) -> None:
        counts = Counter(network_of(str(address[0])) for address in self._strangers)
        (crowd, _), *_ = counts.most_common(1)
        oldest = next(a for a in self._strangers if network_of(str(a[0])) == crowd)
        connection = self._strangers.pop(oldest)
        with contextlib.suppress(OSError):  # it has just gone
            connection.shutdown(socket.SHUT_RDWR)  # asyncio closes what has ended

    def _forget_closed(self) -> None:
        for known in (self._strangers, self._admitted):
            for address in [a for a, connection in known.items() if connection.fileno() < 0]:
                del known[address]
