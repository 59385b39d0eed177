"""Checks every request first (names, size, rate, role), and adds headers to every answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avatar_nodes.web.access import Role
from avatar_nodes.web.door import Door, address_of
from avatar_nodes.web.peer import LONGEST_OFFER
from avatar_nodes.web.web_error import WebError

_SMALL_BODY = 16 * 1024
PATIENCE_S = 15.0
"""For the next part of a request's body."""
_UPLOAD = "/api/operator/reference"
_PUBLIC = ("/login", "/logout", "/favicon.ico", "/healthz")
_PUBLIC_FOLDER = "/static/"
PAGES = ("/", "/telepresence", "/operator")
"""Whoever lacks the right to one gets the login in its place."""
ADMIT = "admit"
"""Key in an application's state of what tells the gate that a connection may stay."""
_POLICY_VIOLATION = 1008
_TRY_AGAIN = 1013
_RETRY_S = 5
_GONE: Message = {"type": "http.disconnect"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; media-src 'self'"
    " blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=(), display-capture=()",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware; the request's role is left in `state.role`."""

    def __init__(self, app: ASGIApp, *, door: Door, max_upload_bytes: int) -> None:
        self._app = app
        self._door = door
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        begun = False

        async def answering(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(message)
            await send(message)

        try:
            self._check(request)
            limit = self._body_limit(scope["path"])
            bounded = _bounded(request, receive, limit, has_begun=lambda: begun)
            await self._app(scope, bounded, answering)
        except WebError as error:
            if begun:
                raise
            await _refuse(scope, receive, answering, error)

    def _check(self, request: HTTPConnection) -> None:
        # The scope's path: that of the address is made of what Host says.
        scope, path = request.scope, request.scope["path"]
        page = path in PAGES and scope["type"] == "http"
        self._door.rules.check_names(request, page=page)
        self._door.limits.check(address_of(request), path)
        role = self._door.role(request)
        state = _state(scope)
        state["role"] = role
        if role and not state.get(ADMIT, _no_gate)():
            raise WebError(503, "Too many connections; wait a little.", retry_s=_RETRY_S)
        if path in _PUBLIC or path.startswith(_PUBLIC_FOLDER) or page:
            return
        if path.startswith("/api/operator") and role < Role.OPERATOR:
            status = 403 if role else 401
            raise WebError(status, "This is for operators: it needs the operator's token.")
        if role < Role.VISITOR:
            raise WebError(401, "This needs a token: `Authorization: Bearer ...`, or log in.")

    def _body_limit(self, path: str) -> int:
        if path == _UPLOAD:
            return self._max_upload_bytes
        return LONGEST_OFFER if path.endswith("/offer") else _SMALL_BODY


def _bounded(
    request: HTTPConnection, receive: Receive, limit: int, *, has_begun: Callable[[], bool]
) -> Receive:
    """`receive` that refuses a body beyond the limit, as told or as it comes, and one that does
    not come; whoever is being answered already is taken to have gone."""
    if request.scope["type"] != "http":
        return receive
    told = request.headers.get("content-length", "0")
    if told.isascii() and told.isdecimal() and (len(told) > 15 or int(told) > limit):
        raise _too_large(limit)
    seen, whole = 0, False

    async def bounded() -> Message:
        nonlocal seen, whole
        if whole:
            return await receive()  # what is left to hear is that the other side has gone
        try:
            message = await asyncio.wait_for(receive(), PATIENCE_S)
        except asyncio.TimeoutError:
            if has_begun():
                return _GONE
            raise WebError(408, "The rest of the request did not come.") from None
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if seen > limit:
                if has_begun():
                    return _GONE
                raise _too_large(limit)
        return message

    return bounded


def _too_large(limit: int) -> WebError:
    size = f"{limit >> 20} MB" if limit >= 1 << 20 else f"{limit >> 10} kB"
    return WebError(413, f"Too large: at most {size}.")


def _no_gate() -> bool:
    return True


def _state(scope: Scope) -> MutableMapping[str, Any]:
    state: MutableMapping[str, Any] = scope.setdefault("state", {})
    return state


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)


async def _refuse(scope: Scope, receive: Receive, send: Send, error: WebError) -> None:
    """A socket is refused before it opens: with the same words, as far as browsers show them."""
    if scope["type"] == "websocket":
        code = _TRY_AGAIN if error.retry_s else _POLICY_VIOLATION
        await send({"type": "websocket.close", "code": code, "reason": str(error)})
        return
    await error_response(error)(scope, receive, send)


def error_response(error: WebError) -> JSONResponse:
    """`{"error": ...}` with its status, and when to try again."""
    headers = {"Retry-After": str(error.retry_s)} if error.retry_s else {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 413:
        headers["Connection"] = "close"  # the rest of the body is not read
    return JSONResponse(
        {"error": str(error), "retry_s": error.retry_s}, error.status, headers=headers
    )
