"""Serves a visitor's socket: events out, the wish to be heard in. The session ends with it."""

from __future__ import annotations

import json
from typing import Any

import anyio
from starlette.websockets import WebSocket, WebSocketDisconnect

from avatar_nodes.web.access import Role
from avatar_nodes.web.event_feed import EventReader
from avatar_nodes.web.kiosk import Kiosk, needs
from avatar_nodes.web.session_socket import UNKNOWN_SESSION, end_with_session
from avatar_nodes.web.sessions import Session
from avatar_nodes.web.web_error import WebError

_PAUSE_S = 0.02
"""Between two wishes, so that a flood of them costs no time of others."""


async def event_socket(socket: WebSocket) -> None:
    """Serve one page; a second socket of the same session is refused."""
    kiosk = Kiosk.of(socket)
    await socket.accept()
    try:
        session = kiosk.sessions.get(socket.path_params["session"])
    except WebError as error:
        await socket.close(UNKNOWN_SESSION, str(error))
        return
    if session.attached:
        await socket.close(UNKNOWN_SESSION, "This session is open elsewhere.")
        return
    session.attached = True
    reader = kiosk.events.join(lambda event: kiosk.sessions.may_see(session, event))
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_tell, socket, reader)
            group.start_soon(end_with_session, socket, session, group.cancel_scope)
            await _obey(socket, kiosk, session)
            group.cancel_scope.cancel()
    finally:
        reader.close()
        with anyio.CancelScope(shield=True):
            await kiosk.sessions.end(session)


async def tell_until_closed(socket: WebSocket, reader: EventReader) -> None:
    """Send every event; return when the other side is gone."""
    async with anyio.create_task_group() as group:
        group.start_soon(_tell, socket, reader)
        try:
            while True:
                await socket.receive()
        except (WebSocketDisconnect, RuntimeError):
            group.cancel_scope.cancel()


async def _tell(socket: WebSocket, reader: EventReader) -> None:
    try:
        while True:
            await socket.send_json(await reader.next())
    except (WebSocketDisconnect, RuntimeError):
        return  # the receiving side ends it all


async def _obey(socket: WebSocket, kiosk: Kiosk, session: Session) -> None:
    while True:
        try:
            text = await socket.receive_text()
        except (WebSocketDisconnect, KeyError, RuntimeError):
            return
        await anyio.sleep(_PAUSE_S)
        wish = _wish(text)
        if wish.get("type") != "microphone":
            continue
        answer = {"type": "microphone", "on": bool(wish.get("on")), "message": ""}
        try:
            if answer["on"]:
                if kiosk.settings.mode == "puppet":  # it is an operator who speaks through it
                    needs(socket, Role.OPERATOR)
                kiosk.sessions.take_floor(session)
            else:
                kiosk.sessions.leave_floor(session)
        except WebError as error:
            answer |= {"on": False, "message": str(error)}
        try:
            await socket.send_json(answer)
        except (WebSocketDisconnect, RuntimeError):
            return  # the page was quicker


def _wish(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
