"""STUN and TURN servers: looked at when the page starts and from then on, since one that does not
answer would hold every visitor up for seconds."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

from aioice import Connection
from aioice.stun import TransactionError, TransactionFailed
from aioice.turn import create_turn_endpoint
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

from avatar_nodes.profile.secrets import TURN_CREDENTIAL, TURN_USER
from avatar_nodes.web.web_error import ServerError

PATIENCE_S = 3.0
"""A server answers within this time."""
LOOK_S = 30.0
"""Between two looks at a server."""


class IceServers:
    """The servers of one page.

    Args:
        urls: as in the profile.
        user, credential: of all TURN servers.
        on_change: told in one line what is wrong with a server, and that it is not any more.

    Raises:
        ServerError: a TURN server without a user and a credential, which browsers do not take.
    """

    def __init__(
        self, urls: Sequence[str], *, user: str, credential: str,
        on_change: Callable[[str], object],
    ) -> None:  # fmt: skip
        relays = [url for url in urls if url.startswith("turn")]
        if relays and not (user and credential):
            raise ServerError(
                f"{relays[0]} needs a user and a credential: put them into the environment"
                f" variables {TURN_USER} and {TURN_CREDENTIAL}"
            )
        self._servers = {
            url: RTCIceServer(url, user, credential) if url in relays else RTCIceServer(url)
            for url in urls
        }
        self._on_change = on_change
        self._lacks: dict[str, str] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def reachable(self) -> list[RTCIceServer]:
        """Those that answered the last time."""
        return [server for url, server in self._servers.items() if self._lacks.get(url) == ""]

    def for_browsers(self) -> list[dict[str, str | None]]:
        """All of them, in the words of RTCPeerConnection: a browser is somewhere else."""
        return [
            {"urls": url, "username": server.username, "credential": server.credential}
            if server.username
            else {"urls": url}
            for url, server in self._servers.items()
        ]

    async def start(self) -> None:
        """Look at all of them, and go on with that."""
        await self.look()
        if self._servers:
            self._watch = asyncio.create_task(self._keep_looking())

    async def close(self) -> None:
        """Look no more."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    async def look(self) -> None:
        """Ask each for what a visitor's connection asks of it."""
        lacks = await asyncio.gather(*(_lack(*server) for server in self._servers.items()))
        for url, lack in zip(self._servers, lacks, strict=True):
            before = self._lacks.get(url, "")
            self._lacks[url] = lack
            if lack and lack != before:
                self._on_change(f"{url} {lack}: it is not used until it answers")
            elif before and not lack:
                self._on_change(f"{url} answers again")

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()


async def _lack(url: str, server: RTCIceServer) -> str:
    """What is wrong with a server, in a few words; empty: nothing."""
    at = parse_stun_turn_uri(url)
    try:
        asked = _map(at) if at["scheme"] == "stun" else _allocate(at, server)
        await asyncio.wait_for(asked, PATIENCE_S)
    except asyncio.TimeoutError:
        return f"has not answered within {PATIENCE_S:g} s"
    except TransactionFailed as refused:
        code, words = refused.response.attributes.get("ERROR-CODE", (0, "")), ""
        if code[0] == 401:
            words = f" (see {TURN_USER}, {TURN_CREDENTIAL})"
        return f"refuses: {code[0]} {code[1]}{words}"
    except TransactionError as error:
        return f"cannot be used: {error or type(error).__name__}"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    return ""


async def _map(at: dict[str, Any]) -> None:
    """Let a STUN server say where we come from."""
    loop = asyncio.get_running_loop()
    await loop.getaddrinfo(at["host"], at["port"], family=socket.AF_INET)
    connection = Connection(ice_controlling=False, stun_server=(at["host"], at["port"]))
    try:
        await connection.gather_candidates()
        if not any(candidate.type == "srflx" for candidate in connection.local_candidates):
            raise ConnectionError("no answer")
    finally:
        await connection.close()


async def _allocate(at: dict[str, Any], server: RTCIceServer) -> None:
    """Let a TURN server give us an address, and give it back."""
    transport, protocol = await create_turn_endpoint(
        _Closing, (at["host"], at["port"]), username=server.username, password=server.credential,
        ssl=at["scheme"] == "turns", transport=at["transport"],
    )  # fmt: skip
    transport.close()
    await protocol.closed.wait()


class _Closing(asyncio.DatagramProtocol):
    """Nobody sends to an address that is given back at once."""

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's hook."""
        self.closed.set()
