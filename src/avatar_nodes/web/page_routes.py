"""Routes of the pages, of the login to them, and of the check whether all is well."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from avatar_nodes.web.access import COOKIE, COOKIE_S, Role
from avatar_nodes.web.guard import PAGES
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_socket import motion_jpeg
from avatar_nodes.web.web_error import WebError

_STATIC = Path(__file__).parent / "static"
_ROLES = {"/": Role.VISITOR, "/telepresence": Role.OPERATOR, "/operator": Role.OPERATOR}
_FILES = {"/": "kiosk.html", "/telepresence": "telepresence.html", "/operator": "operator.html"}


async def page(request: Request) -> Response:
    """A page; without the right to it, the login: by `?token=` in the address, or by a form."""
    path = request.scope["path"]
    if "token" in request.query_params:
        return _enter(request, request.query_params["token"], path)
    if Kiosk.role(request) < _ROLES[path]:
        return FileResponse(_STATIC / "login.html", 401)
    return FileResponse(_STATIC / _FILES[path])


async def login(request: Request) -> Response:
    """Answer of the login's form."""
    form = dict(parse_qsl((await request.body()).decode(errors="replace")))
    target = form.get("to", "/")
    return _enter(request, form.get("token", ""), target if target in PAGES else "/")


async def logout(request: Request) -> Response:
    """The browser forgets that it was let in."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _enter(request: Request, token: str, target: str) -> Response:
    """A cookie in place of the token, which leaves the address line."""
    kiosk = Kiosk.of(request)
    role = kiosk.door.role_of_token(request, token)
    if not role and not kiosk.rules.open:
        raise WebError(401, "This token is not known.")
    response = RedirectResponse(target, 303)
    if role:
        response.set_cookie(
            COOKIE, kiosk.rules.cookie(role, int(time.time())), max_age=COOKIE_S, httponly=True,
            samesite="strict", secure=request.scope["scheme"] == "https",
        )  # fmt: skip
    return response


async def icon(request: Request) -> Response:
    """Files that browsers ask for by themselves."""
    return FileResponse(_STATIC / "icon.svg")


async def healthz(request: Request) -> Response:
    """How the avatar is: 200 well, 503 not. For checks, which have no token."""
    report = Kiosk.of(request).health.sum(time.monotonic())
    return JSONResponse(report, 200 if report["healthy"] else 503)


ROUTES: tuple[BaseRoute, ...] = (
    *(Route(path, page) for path in PAGES),
    Route("/login", login, methods=["POST"]),
    Route("/logout", logout, methods=["POST"]),
    Route("/favicon.ico", icon),
    Route("/healthz", healthz),
    Route("/stream.mjpg", motion_jpeg),
    Mount("/static", StaticFiles(directory=_STATIC)),
)
