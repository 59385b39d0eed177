"""Runs the web server: a thread with an event loop of its own, beside the node that owns it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from avatar_nodes.web.access import AccessRules
from avatar_nodes.web.app import create_app
from avatar_nodes.web.certificate import Certificate, own_certificate
from avatar_nodes.web.desk import Desk
from avatar_nodes.web.gate import MOST_STRANGERS, Gate
from avatar_nodes.web.health import Report
from avatar_nodes.web.ice import IceServers
from avatar_nodes.web.impatient_protocol import ImpatientProtocol
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_hub import Mark, MediaSlot
from avatar_nodes.web.media_loop import MediaLoop
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.web.web_error import ServerError

_IDLE_CONNECTION_S = 5
_PING_S = 5.0
_LARGEST_SOCKET_MESSAGE = 64 * 1024
_PATIENCE_S = 5.0


class WebServer:
    """`start`, then `show` and `tell` from any thread, then `close`.

    Raises ServerError: the settings do not make a server (see AccessRules and Certificate).
    """

    def __init__(
        self,
        settings: KioskSettings,
        desk: Desk,
        mark: Mark | None = None,
        *,
        visitor_token: str = "",
        operator_token: str = "",
        turn_user: str = "",
        turn_credential: str = "",
        warn: Callable[[str], object] = lambda line: None,
    ) -> None:
        """mark: put on every frame that is shown. The tokens: see AccessRules. warn: told, from any
        thread, what does not work for now."""
        self._settings = settings
        self._mark = mark
        self._desk = desk
        self._rules = AccessRules(settings.host, visitor_token, operator_token, settings.hosts)
        self._ice = IceServers(
            settings.ice_servers, user=turn_user, credential=turn_credential, on_change=warn
        )
        self._certificate = self._choose_certificate(warn)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kiosk: Kiosk | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.url = ""
        """The page's address, once started."""

    def start(self) -> None:
        """Serve. Raises ServerError: the address is taken, or none of this machine's."""
        listener = self._listen()
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(listener, started), name="web", daemon=True
        )
        self._thread.start()
        started.result()

    def close(self) -> None:
        """End every session and the thread."""
        if self._thread is None or self._loop is None or self._server is None:
            return
        self._server.should_exit = True
        self._thread.join(_PATIENCE_S)
        self._thread = None

    def show(self, stamp_ns: int, frame: np.ndarray, sound: np.ndarray) -> None:
        """A frame, uint8 RGB [H, W, 3], and its sound, int16 [n]."""
        if self._kiosk is not None:
            self._on_loop(self._kiosk.media.put, MediaSlot(stamp_ns, frame, sound, self._mark))

    def tell(self, event: Mapping[str, Any]) -> None:
        """Something that pages are to know of; it has a `type`."""
        if self._kiosk is not None:
            self._on_loop(self._kiosk.tell, event)

    def tell_state(self, event: Mapping[str, Any], *, in_s: float) -> None:
        """The avatar's state, in a while: unless another one comes first."""
        if self._kiosk is not None:
            self._on_loop(self._kiosk.events.put_state, event, in_s)

    def tell_health(self, machine: str, report: Report) -> None:
        """What a supervisor says of the avatar."""
        if self._kiosk is not None:
            self._on_loop(self._kiosk.health.put, machine, report, time.monotonic())

    @property
    def alive(self) -> bool:
        """It serves; false also after something went wrong in its thread."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def viewers(self) -> int:
        """Sessions that are open."""
        return len(self._kiosk.sessions) if self._kiosk is not None else 0

    @property
    def refused(self) -> int:
        """Sessions refused because there were as many as may be."""
        return self._kiosk.sessions.refused if self._kiosk is not None else 0

    def _on_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(call, *arguments)

    def _listen(self) -> Gate:
        host, port = self._settings.host, self._settings.port
        try:
            family, kind, proto, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = Gate(family, kind, proto)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(MOST_STRANGERS)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ServerError(f"{host} port {port}: {reason}; choose another") from None
        scheme = "https" if self._certificate else "http"
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{scheme}://{shown}:{listener.getsockname()[1]}"
        return listener

    def _run(self, listener: Gate, started: Future[None]) -> None:
        first, most = self._settings.media_port, self._settings.media_ports
        ports = range(first, min(first + most, 65536)) if first else range(0)
        loop = MediaLoop(ports)
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._serve(listener, started))
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def _serve(self, listener: Gate, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._kiosk = Kiosk(self._settings, self._rules, self._desk, self._ice)
        pair = self._certificate
        config = uvicorn.Config(
            create_app(self._kiosk),
            http=partial(ImpatientProtocol, gate=listener),  # type: ignore[arg-type]
            log_config=None, access_log=False, lifespan="off", backlog=MOST_STRANGERS,
            proxy_headers=bool(self._settings.proxies),
            forwarded_allow_ips=list(self._settings.proxies),
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=1, ws="websockets-sansio", ws_ping_interval=_PING_S,
            ws_ping_timeout=_PING_S, ws_max_size=_LARGEST_SOCKET_MESSAGE, server_header=False,
            ssl_certfile=str(pair.certificate) if pair else None,
            ssl_keyfile=str(pair.key) if pair else None,
        )  # fmt: skip
        self._server = _QuietServer(config)
        await self._kiosk.start()
        started.set_result(None)
        try:
            await self._server.serve(sockets=[listener])
        finally:
            await self._kiosk.close()
            listener.close()

    def _choose_certificate(self, warn: Callable[[str], object]) -> Certificate | None:
        settings = self._settings
        if bool(settings.certificate) != bool(settings.key):
            raise ServerError("a certificate needs its key, and a key its certificate")
        if settings.certificate:
            pair = Certificate(
                Path(settings.certificate).expanduser(), Path(settings.key).expanduser()
            )
            pair.check()
            if pair.key.stat().st_mode & 0o077:
                warn(f"{pair.key} is not its owner's alone: chmod 600")
            return pair
        return None if self._rules.loopback else own_certificate(settings.host)


class _QuietServer(uvicorn.Server):
    """Leaves signals to the process that it is a part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield
