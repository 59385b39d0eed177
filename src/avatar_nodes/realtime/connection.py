"""A WebSocket to a Realtime server that is opened again whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from avatar_nodes.realtime.client_events import ClientEvent

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_MESSAGE_BYTES = 16 << 20
_WAITING_MESSAGES = 1000
_WAITING_EVENTS = 500
"""Sound of 20 s in pieces of 40 ms; a network slower than that loses some."""
_CLOSING_S = 1.0
_SHOWN = 200


@dataclass(frozen=True)
class Opened:
    """There is a connection, and nothing of an earlier one holds."""


@dataclass(frozen=True)
class Closed:
    """The connection is lost, or could not be opened; it is tried again."""

    reason: str
    """Empty: it was asked for."""


News = Opened | Closed | str | bytes
"""The last two: a message of the server."""


class RealtimeConnection:
    """Lives on a thread of its own until `close`. Waits between attempts grow from 0.5 to 10 s, and
    begin anew once a server has said something.

    Args:
        url: of the server; the model is added where it has none.
        api_key: sent as bearer token; empty: none is needed.
        timeout_s: how long to wait for a connection [s].
    """

    def __init__(self, url: str, *, model: str, api_key: str, timeout_s: float) -> None:
        if model and "model=" not in url:
            url += f"{'&' if '?' in url else '?'}model={quote(model)}"
        self._url, self._timeout_s = url, timeout_s
        self._headers: dict[str, str] = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._inbox: SimpleQueue[News] = SimpleQueue()
        self._outbox: asyncio.Queue[str] | None = None
        self._socket: ClientConnection | None = None
        self._renewing = False
        self._loop = asyncio.new_event_loop()
        self.dropped = 0
        """Events that were not sent, for want of a connection or of its speed."""
        self._work = self._loop.create_task(self._run())
        self._thread = threading.Thread(target=self._turn, name="realtime", daemon=True)
        self._thread.start()

    def news(self) -> list[News]:
        """What has happened since the last call, in order."""
        found: list[News] = []
        with contextlib.suppress(Empty):
            while True:
                found.append(self._inbox.get_nowait())
        return found

    def send(self, event: ClientEvent) -> None:
        """Send as soon as may be; without a connection it is dropped."""
        self._call(self._put, json.dumps(event))

    def renew(self) -> None:
        """Leave this session for another."""
        self._call(self._hang_up)

    def close(self) -> None:
        """Close the connection and end the thread; may be called twice."""
        if self._thread.is_alive():
            self._call(self._work.cancel)
            self._thread.join()

    def _call(self, call: Callable[..., object], *values: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(call, *values)

    def _turn(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)
        self._loop.close()

    def _put(self, event: str) -> None:
        if self._outbox is None or self._outbox.qsize() >= _WAITING_EVENTS:
            self.dropped += 1
        else:
            self._outbox.put_nowait(event)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._renewing = True
            self._loop.create_task(self._socket.close())

    async def _run(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            reason, spoke = await self._converse()
            self._outbox = self._socket = None
            self._inbox.put(Closed("" if self._renewing else reason))
            self._renewing = False
            wait_s = _FIRST_WAIT_S if spoke else min(2.0 * wait_s, _LONGEST_WAIT_S)
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.0))

    async def _converse(self) -> tuple[str, bool]:
        """One connection, from its beginning to its end: why it ended, and whether the server has
        said anything."""
        spoke = False
        try:
            async with connect(
                self._url, additional_headers=self._headers, open_timeout=self._timeout_s,
                close_timeout=_CLOSING_S, max_size=_MESSAGE_BYTES,
            ) as socket:  # fmt: skip
                self._socket, self._outbox = socket, asyncio.Queue()
                self._inbox.put(Opened())
                sender = asyncio.create_task(_send_all(socket, self._outbox))
                try:
                    async for message in socket:
                        spoke = True
                        self._inbox.put(message)
                        while self._inbox.qsize() > _WAITING_MESSAGES:  # who takes them is busy
                            await asyncio.sleep(0.02)
                finally:
                    sender.cancel()
                return f"the server has closed it {socket.close_reason or ''}".rstrip(), spoke
        except InvalidStatus as error:
            status, body = error.response.status_code, error.response.body or b""
            return f"HTTP {status} {_line(body.decode('utf-8', 'replace'))}".rstrip(), spoke
        except (OSError, WebSocketException, TimeoutError, ValueError) as error:
            return _line(str(error)) or type(error).__name__, spoke


async def _send_all(socket: ClientConnection, outbox: asyncio.Queue[str]) -> None:
    with contextlib.suppress(WebSocketException):  # whoever receives will be told of it, too
        while True:
            await socket.send(await outbox.get())


def _line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
