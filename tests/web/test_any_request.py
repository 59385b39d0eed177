"""Ten thousand requests to every route, of strangers, visitors and operators, whole and broken:
none is answered with an error of ours, nothing of them stays, and the page goes on."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from typing import Any

import psutil
import pytest
from support.any_request import AnyRequest, AnyRequests, exchange
from support.web_show import WrittenDesk, browser_offer, flash_and_beep

from avatar_nodes.web import guard, sessions
from avatar_nodes.web.access import AccessRules
from avatar_nodes.web.app import create_app
from avatar_nodes.web.desk import Answer
from avatar_nodes.web.ice import IceServers
from avatar_nodes.web.kiosk import Kiosk
from avatar_nodes.web.media_hub import MediaSlot
from avatar_nodes.web.settings import KioskSettings

COUNT, AT_ONCE = 10_000, 50
WELL = {"healthy": True, "message": "", "block": 1, "still_s": 0.0, "restarts": 0}
VISITOR, OPERATOR = "visitors-token-0123456789", "operators-token-0123456789"


class StrictDesk(WrittenDesk):
    """Takes what ROS takes: text that is Unicode, without what ends a string in C."""

    def ask(self, text: str) -> int:
        _check(text)
        return super().ask(text)

    async def request(self, name: str, value: str | bytes = "") -> Answer:
        if isinstance(value, str):
            _check(value)
        await asyncio.sleep(0.001)
        return await super().request(name, value)


def _check(text: str) -> None:
    assert "\0" not in text
    text.encode()


async def _show(kiosk: Kiosk) -> None:
    number = 0
    while True:
        kiosk.media.put(MediaSlot(time.time_ns(), *flash_and_beep(number)))
        kiosk.events.put({"type": "state", "state": "idle"})
        kiosk.health.put("here", WELL, time.monotonic())
        number += 1
        await asyncio.sleep(0.04)


async def _abuse(kiosk: Kiosk, desk: StrictDesk) -> None:
    trouble: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: trouble.append(repr(context))
    )
    await kiosk.start()
    show = asyncio.create_task(_show(kiosk))
    app = create_app(kiosk)
    tokens = (VISITOR, VISITOR, OPERATOR, OPERATOR, "wrong", "", "\ud800")
    offers = [await browser_offer(), "", "v=0\r\nm=audio 9 x 0\r\nm=video 9 x 0\r\n"]

    def present() -> list[str]:
        return list(kiosk.sessions._sessions)

    requests = AnyRequests(app, 24, offers=offers, tokens=tokens, sessions=present)

    answered: dict[str, set[int]] = {path: set() for path in requests.routes}
    grown: list[int] = []
    sent: list[int] = []

    async def one(request: AnyRequest) -> None:
        try:
            await exchange(app, request)
        except Exception as error:
            trouble.append(f"{error!r} {request.route} {request.messages!r:.1500}")
        answered[request.route].add(request.status)
        if request.status >= 500 and request.status != 503:
            trouble.append(f"{request.status}: {request.scope}")

    async def some() -> None:
        for _ in range(COUNT // AT_ONCE):
            await one(requests.draw())
            sent.append(1)
            if len(sent) % 1000 == 0:
                gc.collect()
                grown.append(psutil.Process().memory_info().rss)

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    assert not trouble, "\n".join(trouble[:5])
    for path, statuses in answered.items():
        assert statuses & {101, 200, 201, 202, 204, 303}, f"{path} was never reached: {statuses}"
    assert grown[-1] - grown[3] < 32 << 20, [size >> 20 for size in grown]
    assert not show.done()
    assert kiosk.sessions._reaper is not None
    assert not kiosk.sessions._reaper.done()
    await _goes_on(kiosk, app, desk)
    show.cancel()
    await kiosk.close()
    await asyncio.sleep(0.5)
    assert not kiosk.media._readers
    assert not kiosk.events._readers
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, left


async def _goes_on(kiosk: Kiosk, app: Any, desk: StrictDesk) -> None:
    """A visitor is served as ever."""
    for session in list(kiosk.sessions._sessions.values()):
        await kiosk.sessions.end(session)
    new = AnyRequests(app, 24, offers=[""], tokens=[VISITOR], sessions=list)

    async def ask(path: str, value: dict[str, str]) -> AnyRequest:
        request = new.draw()
        request.scope = new._scope("", "http") | {
            "path": path, "method": "POST", "client": ("192.0.2.1", 1), "query_string": b"",
            "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {VISITOR}".encode())],
        }  # fmt: skip
        request.messages = [{"type": "http.request", "body": json.dumps(value).encode()}]
        await exchange(app, request)
        return request

    opened = await ask("/api/sessions", {})
    assert opened.status == 201
    session = json.loads(opened.body)["id"]
    assert (await ask(f"/api/sessions/{session}/ask", {"text": "Still there?"})).status == 202
    assert desk.asked[-1] == "Still there?"


def test_whatever_is_asked_the_page_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ARRIVAL_S", 1.0)
    monkeypatch.setattr(guard, "PATIENCE_S", 0.1)
    desk = StrictDesk()
    settings = KioskSettings(
        width=128, height=128, max_viewers=6, personas=["default"], idle_seat_s=1
    )
    rules = AccessRules("127.0.0.1", VISITOR, OPERATOR)
    ice = IceServers([], user="", credential="", on_change=print)

    async def run() -> None:
        await _abuse(Kiosk(settings, rules, desk, ice), desk)

    asyncio.run(run())
