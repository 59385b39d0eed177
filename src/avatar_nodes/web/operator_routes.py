"""Routes of the operator's panel: orders to the avatar, and everything that is measured."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from avatar_nodes.profile.people import shipped_people, shipped_picture
from avatar_nodes.web.event_socket import tell_until_closed
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_socket import PARTS, Pictures
from avatar_nodes.web.session_routes import json_object
from avatar_nodes.web.web_error import WebError

_LONGEST_TEXT = 2000
_ORDERS = ("interrupt", "reset", "prompt", "persona", "person", "say", "record")
_FRAMINGS = {"face": "reference", "middle": "reference_middle"}
_PICTURES = ("image/png", "image/jpeg", "image/webp")


async def order(request: Request) -> Response:
    """An order by name, its value in JSON (`{"value": "..."}`); 409 with the reason if the avatar
    refuses."""
    name = request.path_params["order"]
    if name not in _ORDERS:
        raise WebError(404, f"no such order; there are {', '.join(_ORDERS)}")
    value = (await json_object(request)).get("value", "")
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise WebError(400, f"value: expected a text of at most {_LONGEST_TEXT} letters")
    kiosk = Kiosk.of(request)
    if name == "persona" and value not in kiosk.settings.personas:
        raise WebError(400, f"value: expected one of {', '.join(kiosk.settings.personas)}")
    if name == "person" and shipped_picture(value) is None:
        known = ", ".join(person.name for person in shipped_people())
        raise WebError(400, f"value: expected one of {known}")
    answer = await kiosk.desk.request(name, value)
    status = 200 if answer.success else 409
    return JSONResponse({"success": answer.success, "message": answer.message}, status)


async def people(request: Request) -> Response:
    """The people that are shipped: names and what they look like."""
    shown = [{"name": person.name, "looks": person.looks} for person in shipped_people()]
    return JSONResponse({"people": shown})


async def portrait(request: Request) -> Response:
    """The picture of one of them."""
    picture = shipped_picture(request.path_params["name"])
    if picture is None:
        raise WebError(404, "there is no such person")
    return FileResponse(picture, media_type="image/jpeg")


async def reference(request: Request) -> Response:
    """Another person: a picture as the body. Its pixels are checked by the avatar, which refuses
    one without a face unless the query says `framing=middle`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind not in _PICTURES:
        raise WebError(415, f"expected {', '.join(_PICTURES)}, got {kind or 'nothing'!r:.60}")
    picture = await request.body()
    if not picture:
        raise WebError(400, "expected a picture, got nothing")
    framing = request.query_params.get("framing", "face")
    if framing not in _FRAMINGS:
        raise WebError(400, f"framing: expected one of {', '.join(_FRAMINGS)}")
    answer = await Kiosk.of(request).desk.request(_FRAMINGS[framing], picture)
    status = 200 if answer.success else 409
    return JSONResponse({"success": answer.success, "message": answer.message}, status)


async def events(socket: WebSocket) -> None:
    """Every event but what visitors say: that is theirs."""
    kiosk = Kiosk.of(socket)
    await socket.accept()
    reader = kiosk.events.join(
        lambda event: not (event["type"] == "caption" and event["who"] == "visitor")
    )
    try:
        await tell_until_closed(socket, reader)
    finally:
        reader.close()


async def preview(request: Request) -> Response:
    """The picture alone; an operator is no viewer that others would have to wait for."""
    if request.method == "HEAD":
        return Response(media_type=PARTS)
    return Pictures(Kiosk.of(request).media.join(depth=2))


ROUTES: tuple[BaseRoute, ...] = (
    Route("/api/operator/reference", reference, methods=["POST"]),
    Route("/api/operator/people", people),
    Route("/api/operator/people/{name}", portrait),
    Route("/api/operator/preview.mjpg", preview),
    WebSocketRoute("/api/operator/events", events),
    Route("/api/operator/{order}", order, methods=["POST"]),
)
