"""Seats that nobody uses: they are free for the next, whatever keeps them."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.http_client import ask
from support.waiting import wait_until
from support.web_show import serving
from websockets.sync.client import connect

from avatar_nodes.web import impatient_protocol
from avatar_nodes.web.server import WebServer

_STREAM = "GET /stream.mjpg HTTP/1.1"


def _raw(server: WebServer, head: str, *, room: int = 0) -> socket.socket:
    at = urlsplit(server.url)
    client = socket.socket()
    if room:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    client.settimeout(30)
    client.connect((at.hostname, at.port))
    client.sendall(f"{head}\r\nHost: localhost\r\n\r\n".encode())
    return client


def _page(server: WebServer, stack: ExitStack) -> str:
    session = str(ask(server.url, "POST", "/api/sessions").json["id"])
    url = f"{server.url.replace('http', 'ws')}/api/sessions/{session}/events"
    stack.enter_context(connect(url))
    return session


def _gone(server: WebServer) -> None:
    wait_until(lambda: server.viewers == 0, what="the seat free", seconds=30)


def test_only_a_picture_that_is_sent_takes_a_seat() -> None:
    with serving() as (server, _):
        with _raw(server, "HEAD /stream.mjpg HTTP/1.1") as client:
            client.recv(100)
            assert server.viewers == 0
        for _ in range(20):  # gone before the first picture
            _raw(server, _STREAM).close()
        _gone(server)


def test_who_reads_no_picture_loses_the_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impatient_protocol, "READING_S", 1.0)
    with serving() as (server, _), _raw(server, _STREAM, room=4096):
        wait_until(lambda: server.viewers == 1, what="a seat", seconds=10)
        _gone(server)


@pytest.mark.parametrize(
    "site", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
             {"Referer": "http://evil.example/page"}, {"Origin": "http://evil.example"}],
)  # fmt: skip
def test_a_page_of_others_takes_no_seat(site: dict[str, str]) -> None:
    with serving() as (server, _):
        assert ask(server.url, path="/stream.mjpg", headers=site).status == 403
        assert ask(server.url, path="/api/about", headers=site).status == 403
        assert server.viewers == 0


def test_the_page_can_be_reached_by_a_link() -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document", "Referer": "http://else.example/"}  # fmt: skip
    with serving() as (server, _):
        assert ask(server.url, path="/", headers=link).status == 200
        assert ask(server.url, path="/stream.mjpg", headers=link).status == 403
        own = {"Sec-Fetch-Site": "same-origin", "Referer": f"{server.url}/"}
        assert ask(server.url, path="/api/about", headers=own).status == 200


def test_an_idle_visitor_makes_room_for_the_next_and_for_nobody_else() -> None:
    with serving(idle_seat_s=1.0) as (server, _), ExitStack() as stack:
        first = _page(server, stack)
        assert ask(server.url, "POST", "/api/sessions").status == 503, "it has only just come"
        time.sleep(1.5)
        assert ask(server.url, "POST", f"/api/sessions/{first}/stop").status == 200, "it stays"
        assert ask(server.url, "POST", "/api/sessions").status == 503, "since it did something"
        time.sleep(1.5)
        assert ask(server.url, "POST", "/api/sessions").status == 201
        assert ask(server.url, "POST", f"/api/sessions/{first}/stop").status == 404
        assert server.viewers == 1


def test_a_stream_makes_room_too() -> None:
    with serving(idle_seat_s=0.5) as (server, _), _raw(server, _STREAM) as client:
        client.recv(100)
        time.sleep(1.0)
        assert ask(server.url, "POST", "/api/sessions").status == 201
        while client.recv(65536):
            pass


@pytest.mark.parametrize("settings", [{"idle_seat_s": 0.0}, {"mode": "puppet"}])
def test_where_nobody_is_to_talk_nobody_makes_room(settings: dict[str, Any]) -> None:
    with serving(**{"idle_seat_s": 0.1, **settings}) as (server, _), ExitStack() as stack:
        _page(server, stack)
        time.sleep(0.3)
        assert ask(server.url, "POST", "/api/sessions").status == 503


def test_who_is_heard_speaking_keeps_the_seat() -> None:
    with serving(idle_seat_s=1.0) as (server, _), ExitStack() as stack:
        session = _page(server, stack)
        sessions = server._kiosk.sessions  # type: ignore[union-attr]
        sessions.take_floor(sessions.get(session))
        for _ in range(3):
            time.sleep(0.6)
            server.tell({"type": "caption", "who": "visitor", "turn": 1, "text": "er", "final": 0})
            assert ask(server.url, "POST", "/api/sessions").status == 503
