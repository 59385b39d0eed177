"""State that all requests share: the avatar's media and events, and the sessions."""

from __future__ import annotations

import asyncio

from starlette.requests import HTTPConnection

from avatar_nodes.web.access import AccessRules, Role
from avatar_nodes.web.desk import Desk
from avatar_nodes.web.door import Door
from avatar_nodes.web.event_feed import Event, EventFeed
from avatar_nodes.web.health import HealthBoard
from avatar_nodes.web.ice import IceServers
from avatar_nodes.web.media_hub import MediaHub
from avatar_nodes.web.sessions import Sessions
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.web.web_error import WebError


class Kiosk:
    """Lives on the server's event loop, from the start to the end of the server."""

    def __init__(
        self, settings: KioskSettings, rules: AccessRules, desk: Desk, ice: IceServers
    ) -> None:
        self.settings = settings
        self.ice = ice
        self.rules = rules
        self.door = Door(rules)
        self.desk = desk
        self.media = MediaHub()
        self.events = EventFeed()
        self.health = HealthBoard()
        self.sessions = Sessions(
            desk, self.events, most=settings.max_viewers, listens=settings.listens,
            idle_s=settings.idle_seat_s if settings.mode == "converse" else 0.0,
            on_empty=self._forget,
        )  # fmt: skip
        self._tasks: set[asyncio.Task[object]] = set()

    @staticmethod
    def of(request: HTTPConnection) -> Kiosk:
        """The kiosk that a request is for."""
        kiosk: Kiosk = request.app.state.kiosk
        return kiosk

    @staticmethod
    def role(request: HTTPConnection) -> Role:
        """The request's role."""
        role: Role = request.state.role
        return role

    def tell(self, event: Event) -> None:
        """What pages are to know of; it has a `type`."""
        if event["type"] == "caption" and event["who"] == "visitor":
            self.sessions.heard()
        self.events.put(event)

    async def start(self) -> None:
        """Begin with what goes on beside the requests."""
        self.sessions.start()
        await self.ice.start()

    async def close(self) -> None:
        """End every session and pending reset."""
        await self.ice.close()
        await self.sessions.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _forget(self) -> None:
        """Called when the last visitor has left: the next one is another person."""
        if self.settings.forget_on_leave and self.settings.mode == "converse":
            task: asyncio.Task[object] = asyncio.create_task(self._reset())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reset(self) -> None:
        await self.desk.request("reset")


def needs(request: HTTPConnection, role: Role) -> None:
    """Raises WebError 403: the request may not do this."""
    if Kiosk.role(request) < role:
        raise WebError(403, "This is for operators: it needs the operator's token.")
