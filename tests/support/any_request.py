"""Requests that anybody may send to the page, drawn from its routes; and the page without a server,
so that ten thousand of them take seconds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute

SESSION = "{session}"
_METHODS = ("GET", "POST", "POST", "POST", "DELETE", "HEAD", "PUT", "OPTIONS", "TRACE", "B\u00e4D")
_TEXTS = (
    "", "record", "start", "Hello?", "\ud800", "a\udfffb", "\0", "\x1b[2J", "x" * 501, "x" * 5000,
    "\u202e\u200b", "NaN", "../../etc/passwd", "\U0001f600" * 50, "default", "interrupt",
)  # fmt: skip
_HOSTS = ("localhost", "127.0.0.1:8080", "[::1]:8080", "evil.example", "x/static/?", "", "\xff")
_PATHS = (
    "", "/", "//", "/api", "/api/operator/", "/static/../server.py", "/\x00", "/%ff", "/x" * 500,
)  # fmt: skip
_NAMES = {
    "{order}": ("interrupt", "reset", "prompt", "persona", "person", "say", "record", "\0"),
    "{name}": ("maya", "", "people.yaml", "../people.yaml", "\0"),
}
_COOKIES = tuple(f"avatar_access={value}" for value in ("", "x", "1.2", "9" * 99 + ".a", "\xff"))
_BODIES = (b"[" * 9000, b'{"a":' * 3000, b"\xff\xfe", b"1e999", b'{"value": "\\ud800"}')
_WORDS = ("\0", "-1", "9" * 400, "a=candidate:", "m=audio 9 x", " ", "*")
_KINDS = ("application/json", "application/sdp", "image/png", "text/plain; charset=\xff", "")


@dataclass
class AnyRequest:
    """A request as a server hands it over: `messages` is what the application receives."""

    scope: dict[str, Any]
    messages: list[dict[str, Any]]
    route: str
    statuses: list[int] = field(default_factory=list)
    body: bytes = b""

    @property
    def status(self) -> int:
        """Of the answer; 0: none came."""
        return self.statuses[0] if self.statuses else 0


class AnyRequests:
    """Draws requests. `offers`: SDP that may be changed; `tokens`: what some of them bring;
    `sessions`: names of those that there are."""

    def __init__(
        self, app: Starlette, seed: int, *, offers: Sequence[str], tokens: Sequence[str],
        sessions: Callable[[], list[str]],
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self._routes = [_path_of(route) for route in app.routes]
        self._methods = {
            path: sorted(getattr(route, "methods", None) or {"GET"})
            for (_, path), route in zip(self._routes, app.routes, strict=True)
        }
        self._offers = offers
        self._tokens = tokens
        self._sessions = sessions

    @property
    def routes(self) -> set[str]:
        """The paths that there are."""
        return {path for _, path in self._routes}

    def draw(self) -> AnyRequest:
        """Any request."""
        any_of = self.random.choice
        kind, path = any_of(self._routes)
        if kind == "websocket" and self.random.random() < 0.9:
            scope = self._scope(path, "websocket")
            return AnyRequest(scope, [{"type": "websocket.connect"}, *self._frames()], path)
        scope = self._scope(path, "http") | {"method": self._method(path)}
        pieces = self._body(path)
        messages = [
            {"type": "http.request", "body": piece, "more_body": n + 1 < len(pieces)}
            for n, piece in enumerate(pieces)
        ]
        if self.random.random() < 0.05:  # gone in the middle of it
            messages = messages[: self.random.randrange(len(messages))]
        return AnyRequest(scope, messages, path)

    def _scope(self, path: str, kind: str) -> dict[str, Any]:
        any_of = self.random.choice
        filled = path.replace(SESSION, self._session())
        for placeholder, values in _NAMES.items():
            filled = filled.replace(placeholder, any_of(values))
        if self.random.random() < 0.05:
            filled = any_of(_PATHS)
        address = (
            f"2001:db8:{self.random.randrange(500):x}::{self.random.randrange(9)}"
            if self.random.random() < 0.5
            else f"10.0.{self.random.randrange(4)}.{self.random.randrange(250)}"
        )
        query = urlencode({any_of(("token", "framing", "\xff")): any_of(("", "middle", "y" * 99))})
        return {
            "type": kind, "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "scheme": "http" if kind == "http" else "ws", "path": filled, "root_path": "",
            "raw_path": filled.encode("utf-8", "replace"), "subprotocols": [], "state": {},
            "query_string": query.encode() if self.random.random() < 0.2 else b"",
            "headers": self._headers(), "client": (address, 40_000), "server": ("127.0.0.1", 8080),
        }  # fmt: skip

    def _session(self) -> str:
        known = self._sessions() if self.random.random() < 0.8 else []
        return self.random.choice(known or ["gone", "\ud800"])

    def _method(self, path: str) -> str:
        known = self.random.random() < 0.6
        return self.random.choice(self._methods[path] if known else _METHODS)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        any_of, chance = self.random.choice, self.random.random
        host = any_of(_HOSTS) if chance() < 0.1 else "localhost"
        headers = {"host": host, "content-type": any_of(_KINDS)}
        if chance() < 0.9:
            headers["authorization"] = f"Bearer {any_of(self._tokens)}"
        if chance() < 0.1:
            headers["cookie"] = any_of(_COOKIES)
        if chance() < 0.1:
            headers["origin"] = any_of(("http://localhost", "http://evil.example", "null", "[", ""))
        if chance() < 0.1:
            headers["sec-fetch-site"] = any_of(("cross-site", "same-origin", "none", "\xff"))
        if chance() < 0.1:
            headers["content-length"] = any_of(("-1", "9" * 30, "x", "\u00b2"))
        if chance() < 0.1:
            headers["x-forwarded-for"] = any_of(("127.0.0.1", "\xff", ", " * 99))
        return [(k.encode(), v.encode("latin-1", "replace")) for k, v in headers.items()]

    def _body(self, path: str) -> list[bytes]:
        any_of = self.random.choice
        if path.endswith("/offer") and self.random.random() < 0.8:
            whole = self._offer()
        elif path.endswith("/login"):
            whole = urlencode(
                {"token": any_of(self._tokens), "to": any_of(_PATHS)}, errors="replace"
            ).encode()
        elif self.random.random() < 0.1:
            whole = any_of(_BODIES)
        elif self.random.random() < 0.02:
            whole = bytes(9 << 20)
        else:
            whole = self._json(path)
        at = sorted(self.random.randrange(len(whole) + 1) for _ in range(any_of((0, 0, 1, 3))))
        return [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]

    def _json(self, path: str) -> bytes:
        any_of = self.random.choice
        text = any_of(_TEXTS)
        value = any_of((text, text, text, None, 5, [text], {text: text}, True, 1e308, -0.0))
        key = any_of(("text", "value", "resume", "\ud800"))
        if self.random.random() < 0.4:
            key = "text" if path.endswith("/ask") else "value"
        return json.dumps({key: value if key != "resume" else self._session()}).encode()

    def _offer(self) -> bytes:
        text = self.random.choice(self._offers)
        for _ in range(self.random.choice((0, 0, 1, 2, 5))):
            lines = text.split("\r\n")
            at = self.random.randrange(len(lines))
            word = self.random.choice(_WORDS)
            changed = (lines[at] + word, word, lines[at][: len(lines[at]) // 2], lines[at] * 3)
            lines[at] = self.random.choice(changed)
            text = "\r\n".join(lines)
        return text.encode("utf-8", "replace")

    def _frames(self) -> list[dict[str, Any]]:
        any_of = self.random.choice
        frames: list[dict[str, Any]] = []
        for _ in range(self.random.randrange(4)):
            wish = json.dumps({"type": any_of(("microphone", "\ud800")), "on": any_of((1, 0, {}))})
            text = any_of((wish, wish, "[" * 20_000, "{", "\ud800", "null"))
            data = any_of((b"", b"\0", bytes(640), bytes(64 * 1024)))
            sent = {"text": text} if self.random.random() < 0.6 else {"bytes": data}
            frames.append({"type": "websocket.receive", **sent})
        return [*frames, {"type": "websocket.disconnect", "code": any_of((1000, 1006))}]


async def exchange(app: Starlette, request: AnyRequest, *, leave_after: int = 3) -> None:
    """Hand a request over, and note the answer; the other side leaves after so many pieces of it.

    Raises whatever the application lets out, and asyncio.TimeoutError if it goes on by itself.
    """
    request.scope["app"] = app
    waiting = list(request.messages)
    socket = request.scope["type"] == "websocket"
    gone = asyncio.Event()
    pieces = 0

    async def receive() -> dict[str, Any]:
        if waiting:
            await asyncio.sleep(0)
            return waiting.pop(0)
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(gone.wait(), 0.2)
        return {"type": "websocket.disconnect" if socket else "http.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        nonlocal pieces
        if message["type"] in ("http.response.start", "websocket.close", "websocket.accept"):
            request.statuses.append(message.get("status", 101))
        if message["type"] == "http.response.body":
            pieces += 1
            if len(request.body) < 10_000:
                request.body += message.get("body", b"")
            if pieces >= leave_after:
                gone.set()

    await asyncio.wait_for(app(request.scope, receive, send), 20.0)


def _path_of(route: Any) -> tuple[str, str]:
    if isinstance(route, WebSocketRoute):
        return "websocket", route.path
    if isinstance(route, Mount):
        return "http", f"{route.path}/kiosk.js"
    assert isinstance(route, Route)
    return "http", route.path
