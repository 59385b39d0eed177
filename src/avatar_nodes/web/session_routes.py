"""Routes of a visitor's page: a session, its connection, its questions."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from avatar_nodes.text.words import clean_text, has_words
from avatar_nodes.web.access import Role
from avatar_nodes.web.event_socket import event_socket
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_socket import media_socket
from avatar_nodes.web.peer import Peer
from avatar_nodes.web.web_error import WebError

LONGEST_QUESTION = 500


async def about(request: Request) -> Response:
    """The avatar's name and properties, as far as the page needs them."""
    kiosk = Kiosk.of(request)
    settings = kiosk.settings
    return JSONResponse(
        {
            "title": settings.title or "Avatar", "mode": settings.mode, "listens": settings.listens,
            "width": settings.width, "height": settings.height, "fps": settings.fps,
            "sample_rate": settings.sample_rate, "ice_servers": kiosk.ice.for_browsers(),
            "recorded_of_visitors": settings.recorded_of_visitors,
            "personas": list(settings.personas), "max_upload_mb": settings.max_upload_mb,
            "operator": Kiosk.role(request) >= Role.OPERATOR,
            "logged_in": bool(not kiosk.rules.open and kiosk.rules.role_of_cookie(request)),
        }
    )  # fmt: skip


async def open_session(request: Request) -> Response:
    """201 with the session's id; 503 while the number of sessions is at its limit."""
    body = await json_object(request)
    session = await Kiosk.of(request).sessions.open(str(body.get("resume", "")))
    return JSONResponse({"id": session.id}, 201, headers={"Location": _path(session.id)})


async def end_session(request: Request) -> Response:
    """The page was left. POST, too: that is what browsers send from a page that closes."""
    sessions = Kiosk.of(request).sessions
    await sessions.end(sessions.get(request.path_params["session"]))
    return Response(status_code=204)


async def offer(request: Request) -> Response:
    """The answer (SDP) to the page's offer; an earlier connection of the session ends."""
    kiosk = Kiosk.of(request)
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        raise WebError(400, "the offer is no text") from None
    session = kiosk.sessions.get(request.path_params["session"])

    def peer() -> Peer:
        return Peer(
            kiosk.media, session.microphone, sample_rate=kiosk.settings.sample_rate,
            ice_servers=kiosk.ice.reachable,
        )  # fmt: skip

    answer = await session.connect(text, peer)
    return Response(answer, 201, media_type="application/sdp")


async def ask(request: Request) -> Response:
    """The visitor writes instead of speaking."""
    kiosk = Kiosk.of(request)
    text = (await json_object(request)).get("text", "")
    session = kiosk.sessions.get(request.path_params["session"])
    if not isinstance(text, str) or not has_words(text) or len(text) > LONGEST_QUESTION:
        raise WebError(400, f"Write a question of at most {LONGEST_QUESTION} letters.")
    if kiosk.settings.mode != "converse":
        raise WebError(409, "This avatar does not answer: it is moved by a voice.")
    kiosk.sessions.check_floor(session)
    turn = kiosk.desk.ask(text)
    session.turns.add(turn)
    session.talked = True
    said = {"type": "caption", "who": "visitor", "written": True, "turn": turn, "text": text}
    kiosk.events.put({**said, "final": True})
    return JSONResponse({"turn": turn}, 202)


async def stop(request: Request) -> Response:
    """The visitor has heard enough."""
    kiosk = Kiosk.of(request)
    kiosk.sessions.check_floor(kiosk.sessions.get(request.path_params["session"]))
    answer = await kiosk.desk.request("interrupt")
    return JSONResponse({"success": answer.success, "message": answer.message})


async def json_object(request: Request) -> dict[str, Any]:
    """The body as a JSON object with its texts cleaned; an empty body is an empty one. Raises
    WebError 400."""
    body = await request.body()
    try:
        value = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise WebError(400, "expected a JSON object")
    return {key: clean_text(v) if isinstance(v, str) else v for key, v in value.items()}


def _path(session: str) -> str:
    return f"/api/sessions/{session}"


_SESSION = _path("{session}")

ROUTES: tuple[BaseRoute, ...] = (
    Route("/api/about", about),
    Route("/api/sessions", open_session, methods=["POST"]),
    Route(_SESSION, end_session, methods=["DELETE"]),
    Route(f"{_SESSION}/leave", end_session, methods=["POST"]),
    Route(f"{_SESSION}/offer", offer, methods=["POST"]),
    Route(f"{_SESSION}/ask", ask, methods=["POST"]),
    Route(f"{_SESSION}/stop", stop, methods=["POST"]),
    WebSocketRoute(f"{_SESSION}/events", event_socket),
    WebSocketRoute(f"{_SESSION}/media", media_socket),
)
