"""Keeps the sessions: one a page, a limited number, and at most one of them heard."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from avatar_nodes.web.browser_microphone import BrowserMicrophone
from avatar_nodes.web.desk import Desk
from avatar_nodes.web.event_feed import Event, EventFeed
from avatar_nodes.web.peer import Peer
from avatar_nodes.web.web_error import WebError

ARRIVAL_S = 10.0
"""Within this time a session's page must open its event socket."""
_LOOK_S = 1.0


class Session:
    """One page, from its opening until its event socket closes."""

    def __init__(self, desk: Desk) -> None:
        self.id = secrets.token_urlsafe(16)
        self.microphone = BrowserMicrophone(desk, self.id[:8])
        self.microphone.open = False
        self.peer: Peer | None = None
        self.attached = False
        """Its event socket is open."""
        self.turns: set[int] = set()
        """Turns that this page's visitor has written."""
        self.talked = False
        """Its visitor has spoken or written."""
        self.opened_at = self.used_at = time.monotonic()
        """`used_at`: when its visitor last did something."""
        self.over = asyncio.Event()
        """It has ended, and with it what serves its page."""
        self._connecting = asyncio.Lock()

    async def connect(self, offer: str, make_peer: Callable[[], Peer]) -> str:
        """The answer to an offer (SDP), by a peer that takes an earlier one's place. Whoever hangs
        up meanwhile waits for it.

        Raises WebError: 400 as of `Peer.answer`; 404 the session is over.
        """
        async with self._connecting:
            await self._drop_peer()
            if self.over.is_set():
                raise session_over()
            self.peer = make_peer()
            try:
                return await self.peer.answer(offer)
            except BaseException:
                await self._drop_peer()
                raise

    async def hang_up(self) -> None:
        """End its connection, if it has one."""
        async with self._connecting:
            await self._drop_peer()
        self.microphone.pause()

    def use(self) -> None:
        """Its visitor does something."""
        self.used_at = time.monotonic()

    async def _drop_peer(self) -> None:
        peer, self.peer = self.peer, None
        if peer is not None:
            await peer.close()


def session_over() -> WebError:
    """What a request is told whose session has ended."""
    return WebError(404, "This session is over; load the page again.")


class Sessions:
    """Lives on the server's event loop.

    listens: the avatar hears browsers (and not a microphone of its own machine); one session at a
    time then holds the floor, and what its visitor says is shown to no other.
    idle_s: a visitor who has done nothing for so long makes room for another one; 0: never.
    on_empty: called when the last visitor who talked has left; who only watched does not count.
    """

    def __init__(
        self, desk: Desk, feed: EventFeed, *, most: int, listens: bool, idle_s: float,
        on_empty: Callable[[], None],
    ) -> None:  # fmt: skip
        self._desk = desk
        self._feed = feed
        self._most = most
        self._listens = listens
        self._idle_s = idle_s
        self._on_empty = on_empty
        self._sessions: dict[str, Session] = {}
        self._floor: Session | None = None
        self._reaper: asyncio.Task[None] | None = None
        self.refused = 0

    def start(self) -> None:
        """Begin to look for sessions whose page never came."""
        self._reaper = asyncio.create_task(self._reap())

    async def close(self) -> None:
        """End every session."""
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.gather(self._reaper, return_exceptions=True)
        for session in list(self._sessions.values()):
            await self.end(session)

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(self, resume: str = "") -> Session:
        """A new session; `resume` names the page's earlier one, whose place it takes.

        Raises WebError 503: as many are there as may be.
        """
        if earlier := self._sessions.get(resume):
            await self.end(earlier)
        if len(self._sessions) >= self._most and (idle := self._idlest()):
            await self.end(idle)
        if len(self._sessions) >= self._most:
            self.refused += 1
            raise WebError(
                503, "The avatar is with somebody else. You are next as soon as they leave.",
                retry_s=3,
            )  # fmt: skip
        session = Session(self._desk)
        self._sessions[session.id] = session
        return session

    def _idlest(self) -> Session | None:
        """Who has to make room."""
        longest = min(self._sessions.values(), key=lambda session: session.used_at)
        idle_s = time.monotonic() - longest.used_at
        return longest if self._idle_s and idle_s > self._idle_s else None

    def get(self, name: str) -> Session:
        """The session of that name. Raises WebError 404."""
        if session := self._sessions.get(name):
            return session
        raise session_over()

    async def end(self, session: Session) -> None:
        """Once is enough."""
        if self._sessions.pop(session.id, None) is None:
            return
        session.microphone.open = False
        session.over.set()
        await session.hang_up()
        if self._floor is session:
            self._floor = None
        if session.talked and not any(other.talked for other in self._sessions.values()):
            self._on_empty()

    def take_floor(self, session: Session) -> None:
        """This page's microphone is to be heard.

        Raises WebError 409: another one's is, or the avatar has a microphone of its own; 404: the
        session is over.
        """
        self.get(session.id)
        if not self._listens:
            raise WebError(409, "The avatar listens to a microphone of its own.")
        self.check_floor(session)
        self._floor = session
        session.microphone.open = session.talked = True

    def heard(self) -> None:
        """What the visitor says who holds the floor has been understood."""
        if self._floor is not None:
            self._floor.use()

    def check_floor(self, session: Session) -> None:
        """The visitor wants to do something. Raises WebError 409: another session holds the
        floor."""
        if self._floor not in (None, session):
            raise WebError(409, "Somebody else is talking with the avatar.", retry_s=3)
        session.use()

    def leave_floor(self, session: Session) -> None:
        """This page's microphone is heard no more."""
        session.microphone.open = False
        session.microphone.pause()
        if self._floor is session:
            self._floor = None

    def may_see(self, session: Session, event: Event) -> bool:
        """A visitor's words are shown to that visitor alone; measurements and logs to operators."""
        if event["type"] == "caption" and event["who"] == "visitor":
            if event.get("written"):
                return event["turn"] in session.turns
            return not self._listens or self._floor is session
        return event["type"] in ("state", "persona", "caption", "recorded")

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            now = time.monotonic()
            for session in list(self._sessions.values()):
                late = not session.attached and now - session.opened_at > ARRIVAL_S
                if late:
                    await self.end(session)
                elif session.peer is not None and session.peer.over.is_set():
                    await session.hang_up()
