"""The web application: its routes behind its guard."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from avatar_nodes.web import operator_routes, page_routes, session_routes
from avatar_nodes.web.guard import Guard, error_response
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.web_error import WebError


def create_app(kiosk: Kiosk) -> Starlette:
    """The application that serves `kiosk`."""
    app = Starlette(
        routes=[*page_routes.ROUTES, *session_routes.ROUTES, *operator_routes.ROUTES],
        middleware=[
            Middleware(Guard, door=kiosk.door, max_upload_bytes=kiosk.settings.max_upload_mb << 20)
        ],
        exception_handlers={HTTPException: _not_found},
    )
    app.state.kiosk = kiosk
    return app


async def _not_found(request: Request, error: Exception) -> Response:
    """Starlette's own errors (no such path, no such method) in our form."""
    assert isinstance(error, HTTPException)
    return error_response(WebError(error.status_code, error.detail))
