"""Crowds, slow writers and slow readers: they are refused or dropped, and nobody else notices."""

from __future__ import annotations

import http.client
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.http_client import ask
from support.waiting import wait_until
from support.web_show import FPS, serving
from websockets.sync.client import connect

from avatar_nodes.web import gate, guard, impatient_protocol
from avatar_nodes.web.server import WebServer

TOKEN = "visitors-token-0123456789"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def raw(server: WebServer) -> socket.socket:
    at = urlsplit(server.url)
    return socket.create_connection((at.hostname, at.port), timeout=60)


def viewer(server: WebServer, stack: ExitStack) -> object:
    """A page that watches over the socket; its events are held open, too."""
    session = ask(server.url, "POST", "/api/sessions").json["id"]
    base = f"{server.url.replace('http', 'ws')}/api/sessions/{session}"
    stack.enter_context(connect(f"{base}/events"))
    return stack.enter_context(connect(f"{base}/media"))


def test_two_hundred_connections_that_ask_nothing_make_room_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(impatient_protocol, "REQUEST_S", 4.0)
    with serving() as (server, _), ExitStack() as stack:
        media = viewer(server, stack)
        crowd = [stack.enter_context(raw(server)) for _ in range(200)]
        for _ in range(4 * FPS):  # picture and sound of two seconds
            media.recv(timeout=60)  # type: ignore[attr-defined]
        assert all(silent.recv(1) == b"" for silent in crowd[:100]), "given up"
        wait_until(lambda: ask(server.url, path="/").status == 200, what="the page again")


def test_strangers_that_ask_nothing_shut_nobody_out() -> None:
    """Without a token, and for as long as they are let wait: 140 of them were enough."""
    with serving(visitor_token=TOKEN) as (server, _), ExitStack() as stack:
        for count in range(300):
            stack.enter_context(raw(server))
            if count % 50 == 49:
                assert ask(server.url, path="/api/about", headers=BEARER).status == 200
        assert ask(server.url, path="/").status == 401, "the login"


def test_strangers_in_the_middle_of_a_handshake_shut_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with serving(host="0.0.0.0", visitor_token=TOKEN) as (server, _), ExitStack() as stack:
        crowd = [stack.enter_context(raw(server)) for _ in range(200)]
        about = ask(server.url, path="/api/about", headers=BEARER)
        assert about.status == 200
        open_ones = [c for c in crowd if not _closed(c)]
        assert len(open_ones) <= gate.MOST_STRANGERS
    assert len(caplog.text) < 20_000


def test_whoever_may_be_here_is_not_turned_away_by_strangers() -> None:
    with serving(visitor_token=TOKEN) as (server, _), ExitStack() as stack:
        held = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]))
        stack.callback(held.close)
        for _ in range(3):
            held.request("GET", "/api/about", headers=BEARER)
            assert held.getresponse().read()
            for _ in range(100):
                stack.enter_context(raw(server))


def test_the_admitted_are_limited_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_ADMITTED", 3)
    with serving() as (server, _), ExitStack() as stack:
        events = f"{server.url.replace('http', 'ws')}/api/operator/events"
        for _ in range(3):
            stack.enter_context(connect(events))
        assert ask(server.url, path="/").status == 503
        stack.close()
        wait_until(lambda: ask(server.url, path="/").status == 200, what="room again")


def _closed(client: socket.socket) -> bool:
    client.settimeout(0.05)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_two_hundred_sessions_are_refused_in_words() -> None:
    with serving(max_viewers=2) as (server, _):
        replies = [ask(server.url, "POST", "/api/sessions") for _ in range(200)]
        assert [reply.status for reply in replies[:2]] == [201, 201]
        assert {reply.status for reply in replies[2:]} == {503, 429}
        assert all(reply.json["error"] and reply.json["retry_s"] for reply in replies[2:])
        assert server.viewers == 2


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "PATIENCE_S", 2.0)
    with serving() as (server, desk), raw(server) as slow:
        head = "POST /api/operator/say HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
        slow.sendall(head.encode() + b'{"value":')
        answer = slow.recv(4096)
        assert b" 408 " in answer.partition(b"\r\n")[0]
        assert not desk.requests


def test_garbage_is_no_request() -> None:
    with serving() as (server, _):
        for garbage in (b"\x16\x03\x01\x02\x00" * 40, b"GET " + b"x" * 100_000, b"\r\n" * 10):
            with raw(server) as client:
                client.sendall(garbage + b"\r\n\r\n")
                answer = client.recv(4096)
                assert answer == b"" or b" 400 " in answer.partition(b"\r\n")[0]
        assert ask(server.url, path="/").status == 200


def test_a_viewer_who_reads_nothing_holds_nobody_back() -> None:
    with serving(max_viewers=3) as (server, _), ExitStack() as stack:
        for _ in range(2):
            session = ask(server.url, "POST", "/api/sessions").json["id"]
            stuck = stack.enter_context(raw(server))
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.sendall(
                f"GET /api/sessions/{session}/media HTTP/1.1\r\nHost: localhost\r\n"
                "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
            )
            assert b" 101 " in stuck.recv(64)
        media = viewer(server, stack)
        for _ in range(8 * FPS):
            media.recv(timeout=60)  # type: ignore[attr-defined]
        kiosk = server._kiosk
        assert kiosk is not None
        waiting = [len(reader._slots) for reader in kiosk.media._readers]
        assert max(waiting) <= 6, "what they do not read is dropped"


def test_a_page_that_stays_is_not_taken_for_one_that_asks_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(impatient_protocol, "REQUEST_S", 1.0)
    with serving() as (server, _), ExitStack() as stack:
        media = viewer(server, stack)
        for _ in range(8 * FPS):
            media.recv(timeout=60)  # type: ignore[attr-defined]
