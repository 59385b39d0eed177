"""An event loop that gives WebRTC's media ports of a range that a firewall may know."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from itertools import chain
from typing import Any


class MediaLoop(asyncio.SelectorEventLoop):
    """asyncio's, whose UDP sockets with a local address and no port get one of `ports`.

    aioice, which makes them, has no setting for that. A connection to a TURN server has no local
    address, and goes out from any port.
    """

    def __init__(self, ports: range) -> None:
        super().__init__()
        self._ports = ports
        self._next = 0

    async def create_datagram_endpoint(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, **options: Any
    ) -> tuple[Any, Any]:
        """asyncio's. Raises OSError: all ports of the range are taken."""
        make = super().create_datagram_endpoint
        if not self._ports or local_addr is None or local_addr[1]:
            return await make(protocol_factory, local_addr, **options)
        for turn in chain(range(self._next, len(self._ports)), range(self._next)):
            try:
                made = await make(protocol_factory, (local_addr[0], self._ports[turn]), **options)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                self._next = (turn + 1) % len(self._ports)
                return made
        raise OSError(errno.EADDRINUSE, f"ports {self._ports[0]} to {self._ports[-1]} are taken")
