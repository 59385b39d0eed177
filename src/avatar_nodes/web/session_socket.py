"""Ends the sockets of a session with it."""

from __future__ import annotations

import contextlib

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from avatar_nodes.web.sessions import Session

UNKNOWN_SESSION = 4404


async def end_with_session(socket: WebSocket, session: Session, scope: anyio.CancelScope) -> None:
    """Once the session is over, cancel `scope`, in which the socket is served, and close it."""
    await session.over.wait()
    scope.cancel()
    with (
        anyio.CancelScope(shield=True),
        contextlib.suppress(WebSocketDisconnect, RuntimeError),  # its page was quicker
    ):
        await socket.close(UNKNOWN_SESSION, "This session is over.")
