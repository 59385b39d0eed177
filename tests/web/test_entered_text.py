"""Text that a page sends: cleaned where it enters, refused in words, never an error of ours."""

from __future__ import annotations

import asyncio
import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from support.http_client import ask
from support.web_show import serving
from websockets.sync.client import connect

from avatar_nodes.text.words import has_words
from avatar_nodes.web import rate_limits
from avatar_nodes.web.session_routes import json_object
from avatar_nodes.web.web_error import WebError

DEEP = "[" * 100_000
SURROGATE = r'{"text": "a\ud800b", "value": "a\ud800b", "resume": "\ud800"}'
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
    max_leaves=8,
)


def read(body: bytes) -> dict[str, Any]:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return asyncio.run(json_object(Request({"type": "http", "method": "POST"}, receive)))


@given(JSON)
def test_texts_of_any_object_can_be_sent_on(value: object) -> None:
    body = json.dumps({"text": value}).encode()
    entered = read(body)["text"]
    if isinstance(entered, str):
        assert isinstance(value, str)
        entered.encode()


@given(st.binary(max_size=60) | st.text('[]{},:"\\ud8001', max_size=60).map(str.encode))
@example(DEEP.encode())
@example(b'{"a":' * 50_000)
@example(b"9" * 10_000)
def test_any_body_is_an_object_or_refused(body: bytes) -> None:
    try:
        assert isinstance(read(body), dict)
    except WebError as error:
        assert error.status == 400


@pytest.mark.parametrize("body", [SURROGATE, DEEP[:10_000], '{"text": "\\u0000"}', '{"text": {}}'])
def test_nothing_answers_500(body: str) -> None:
    with serving(mode="converse") as (server, desk):
        session = ask(server.url, "POST", "/api/sessions", body=body)
        assert session.status in (201, 400)
        if session.status == 400:
            session = ask(server.url, "POST", "/api/sessions")
        asked = f"/api/sessions/{session.json['id']}/ask"
        for path in ("/api/operator/say", "/api/operator/prompt", asked):
            assert ask(server.url, "POST", path, body=body).status < 500, path
        for text in [*desk.asked, *[value for _, value in desk.requests]]:
            assert isinstance(text, str) and text.encode() is not None
        bad = {"Origin": "http://["}
        assert ask(server.url, "POST", "/api/sessions", headers=bad).status == 403


@pytest.fixture
def without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of requests a minute."""
    limits = dict.fromkeys(rate_limits._LIMITS, 100_000_000)
    monkeypatch.setattr(rate_limits, "_LIMITS", limits)


def test_whatever_is_entered_is_taken_or_refused_in_words(without_limits: None) -> None:
    with serving(mode="converse") as (server, desk):
        session = ask(server.url, "POST", "/api/sessions").json["id"]
        paths = [f"/api/sessions/{session}/ask", "/api/operator/say", "/api/operator/prompt"]
        at = urlsplit(server.url)
        connection = HTTPConnection(str(at.hostname), at.port, timeout=60)

        @given(st.sampled_from(paths), JSON | st.binary(max_size=60), st.booleans())
        @example(paths[0], "👍🏽 yes", True)
        @example(paths[0], "a" * 501, True)
        @example(paths[1], DEEP, False)
        def check(path: str, value: object, wrapped: bool) -> None:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            if wrapped and not isinstance(value, bytes):
                body = json.dumps({"text": value, "value": value}).encode()
            connection.request("POST", path, body=body)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert answer.status in (200, 202, 400, 413), said
            asked = desk.asked[-1] if answer.status == 202 else "a"
            assert asked.encode() and has_words(asked)

        events = f"{server.url.replace('http', 'ws')}/api/sessions/{session}/events"
        with connect(events):  # without its page a session would end
            check()
        connection.close()


def test_signs_alone_are_no_question() -> None:
    with serving(mode="converse") as (server, desk):
        session = ask(server.url, "POST", "/api/sessions").json["id"]
        for text in ("👍🏽", "...", " "):
            reply = ask(server.url, "POST", f"/api/sessions/{session}/ask", body={"text": text})
            assert (reply.status, desk.asked) == (400, [])


def test_a_socket_survives_nonsense() -> None:
    with serving(mode="converse") as (server, _):
        session = ask(server.url, "POST", "/api/sessions").json["id"]
        at = f"{server.url.replace('http', 'ws')}/api/sessions/{session}/events"
        with connect(at) as socket:
            socket.send(DEEP[:10_000])
            socket.send(json.dumps({"type": "microphone", "on": False}))
            while json.loads(socket.recv(timeout=30))["type"] != "microphone":
                pass
