"""Who is there: how many, who is heard, what is shown to whom."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from support.http_client import ask
from support.waiting import wait_until
from support.web_show import serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from avatar_nodes.web import sessions
from avatar_nodes.web.server import WebServer

EventsOf = Callable[[WebServer, str], ClientConnection]


def opened(server: WebServer) -> str:
    reply = ask(server.url, "POST", "/api/sessions")
    assert reply.status == 201, reply.json
    assert reply.headers["location"] == f"/api/sessions/{reply.json['id']}"
    return str(reply.json["id"])


@pytest.fixture
def events_of(open_socket: Callable[..., ClientConnection]) -> EventsOf:
    """Opens the event socket of a session."""
    return lambda server, session: open_socket(
        f"{server.url.replace('http', 'ws')}/api/sessions/{session}/events"
    )


def told(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(timeout=30))


def wish(socket: ClientConnection, on: bool) -> Any:
    socket.send(json.dumps({"type": "microphone", "on": on}))
    return told(socket)


def test_there_are_as_many_as_may_be() -> None:
    with serving(max_viewers=2) as (server, _):
        first, second = opened(server), opened(server)
        refused = ask(server.url, "POST", "/api/sessions")
        assert refused.status == 503
        assert "somebody else" in refused.json["error"]
        assert int(refused.headers["retry-after"]) > 0
        assert server.refused == 1
        assert ask(server.url, "DELETE", f"/api/sessions/{first}").status == 204
        third = opened(server)
        assert len({first, second, third}) == 3


def test_a_page_takes_its_own_place_again() -> None:
    with serving(max_viewers=1) as (server, _):
        first = opened(server)
        again = ask(server.url, "POST", "/api/sessions", body={"resume": first})
        assert again.status == 201
        assert again.json["id"] != first
        assert ask(server.url, "POST", "/api/sessions", body={"resume": "x"}).status == 503


def test_a_session_ends_with_its_page_and_the_dialogue_with_the_last(events_of: EventsOf) -> None:
    with serving(max_viewers=2) as (server, desk):
        one, two = (events_of(server, opened(server)) for _ in range(2))
        for visitor in (one, two):
            assert wish(visitor, True)["on"]
            wish(visitor, False)
        one.close()
        wait_until(lambda: server.viewers == 1, what="one session less")
        assert ("reset", "") not in desk.requests
        two.close()
        wait_until(lambda: ("reset", "") in desk.requests, what="the dialogue forgotten")
        assert server.viewers == 0


def test_the_dialogue_can_be_kept(events_of: EventsOf) -> None:
    with serving(forget_on_leave=False) as (server, desk):
        visitor = events_of(server, opened(server))
        wish(visitor, True)
        visitor.close()
        wait_until(lambda: server.viewers == 0, what="no session")
        assert not desk.requests


def test_who_only_watches_leaves_no_trace(events_of: EventsOf) -> None:
    with serving() as (server, desk):
        events_of(server, opened(server)).close()
        wait_until(lambda: server.viewers == 0, what="no session")
        assert not desk.requests


def test_nobody_cuts_into_what_another_is_saying(events_of: EventsOf) -> None:
    with serving(max_viewers=2) as (server, desk):
        ours = [opened(server) for _ in range(2)]
        speaks, other = (events_of(server, session) for session in ours)
        assert wish(speaks, True)["on"]
        for what, body in (("ask", {"text": "And me?"}), ("stop", {})):
            refused = ask(server.url, "POST", f"/api/sessions/{ours[1]}/{what}", body=body)
            assert refused.status == 409
            assert "Somebody else" in refused.json["error"]
        assert not desk.asked
        assert not desk.requests
        wish(speaks, False)
        path = f"/api/sessions/{ours[1]}/ask"
        assert ask(server.url, "POST", path, body={"text": "And me?"}).status == 202
        other.close()


def test_through_a_puppet_only_operators_speak(
    open_socket: Callable[..., ClientConnection],
) -> None:
    tokens = {"visitor_token": "v" * 16, "operator_token": "o" * 16}
    with serving(mode="puppet", max_viewers=2, **tokens) as (server, _):
        for token, may in (("v" * 16, False), ("o" * 16, True)):
            bearer = {"Authorization": f"Bearer {token}"}
            session = ask(server.url, "POST", "/api/sessions", headers=bearer).json["id"]
            url = f"{server.url.replace('http', 'ws')}/api/sessions/{session}/events"
            assert wish(open_socket(url, additional_headers=bearer), True)["on"] is may


def test_a_session_whose_page_never_comes_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "ARRIVAL_S", 2.0)
    with serving() as (server, _):
        opened(server)
        wait_until(lambda: server.viewers == 0, what="no session", seconds=60)


def test_one_page_is_heard_at_a_time(events_of: EventsOf) -> None:
    with serving(max_viewers=2) as (server, _):
        first, second = (events_of(server, opened(server)) for _ in range(2))
        assert wish(first, True) == {"type": "microphone", "on": True, "message": ""}
        refused = wish(second, True)
        assert not refused["on"]
        assert "Somebody else" in refused["message"]
        assert wish(first, False)["on"] is False
        assert wish(second, True)["on"] is True
        second.close()
        wait_until(lambda: server.viewers == 1, what="the second gone")
        assert wish(first, True)["on"] is True


def test_an_avatar_with_a_microphone_of_its_own_hears_no_page(events_of: EventsOf) -> None:
    with serving(listens=False) as (server, _):
        socket = events_of(server, opened(server))
        assert "of its own" in wish(socket, True)["message"]


def test_who_comes_while_it_records_is_told_but_not_the_file(events_of: EventsOf) -> None:
    with serving(max_viewers=2, recorded_of_visitors="words") as (server, _):
        recorded = {"type": "recorded", "on": True}
        server.tell({"type": "recording", "active": True, "file": "/home/me/a.mp4"})
        server.tell(recorded)
        assert told(events_of(server, opened(server))) == recorded
        assert ask(server.url, path="/api/about").json["recorded_of_visitors"] == "words"


def test_what_a_visitor_says_is_shown_to_that_visitor_alone(
    events_of: EventsOf, open_socket: Callable[..., ClientConnection]
) -> None:
    with serving(max_viewers=2) as (server, _):
        ours = [opened(server) for _ in range(2)]
        mine, theirs = (events_of(server, session) for session in ours)
        wish(mine, True)
        said = {"type": "caption", "who": "visitor", "turn": 5, "text": "my secret", "final": True}
        server.tell(said)
        assert told(mine) == said
        wish(mine, False)
        wrote = ask(server.url, "POST", f"/api/sessions/{ours[1]}/ask", body={"text": "mine"})
        assert wrote.status == 202
        server.tell({"type": "log", "text": "for operators"})
        answer = {"type": "caption", "who": "avatar", "turn": 5, "text": "Hello.", "index": 0}
        server.tell(answer)
        assert told(mine) == answer
        assert [told(theirs)["text"], told(theirs)["text"]] == ["mine", "Hello."]
        operator = open_socket(f"{server.url.replace('http', 'ws')}/api/operator/events")
        server.tell(said)
        server.tell({"type": "log", "text": "for operators"})
        assert told(operator)["type"] == "log"


def test_who_comes_later_learns_how_things_stand_but_not_what_was_said(events_of: EventsOf) -> None:
    with serving() as (server, _):
        state = {"type": "state", "state": "speaking"}
        server.tell(state)
        server.tell({"type": "caption", "who": "avatar", "turn": 1, "text": "before", "index": 0})
        socket = events_of(server, opened(server))
        server.tell({"type": "state", "state": "idle"})
        assert [told(socket), told(socket)["state"]] == [state, "idle"]


def test_a_question_reaches_the_avatar() -> None:
    with serving() as (server, desk):
        path = f"/api/sessions/{opened(server)}/ask"
        assert ask(server.url, "POST", path, body={"text": "  What is your name? "}).status == 202
        assert desk.asked == ["What is your name?"]
        for body in ({"text": ""}, {"text": "x" * 501}, {}, "[]", "{", b"\xff\xfe"):
            assert ask(server.url, "POST", path, body=body).status == 400
        assert desk.asked == ["What is your name?"]


@pytest.mark.parametrize("what", ["events", "media"])
def test_a_session_that_is_over_says_so(
    what: str, open_socket: Callable[..., ClientConnection]
) -> None:
    with serving() as (server, _):
        assert ask(server.url, "POST", "/api/sessions/gone/ask", body={"text": "x"}).status == 404
        socket = open_socket(f"{server.url.replace('http', 'ws')}/api/sessions/gone/{what}")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404
        assert "over" in closed.value.rcvd.reason


def test_a_session_whose_place_was_taken_does_not_keep_the_floor(events_of: EventsOf) -> None:
    """As when a visitor duplicates the page: the copy takes the place, the first one still asks."""
    with serving(max_viewers=1) as (server, _):
        first = opened(server)
        socket = events_of(server, first)
        copy = ask(server.url, "POST", "/api/sessions", body={"resume": first}).json["id"]
        with contextlib.suppress(ConnectionClosed):
            wish(socket, True)
        assert wish(events_of(server, copy), True)["on"]
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=5)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404


def test_nonsense_in_the_event_socket_does_no_harm(events_of: EventsOf) -> None:
    with serving() as (server, _):
        socket = events_of(server, opened(server))
        for text in ("", "{", "[]", "null", '{"type": 5}', '{"type": "microphone", "on": {}}'):
            socket.send(text)
        assert told(socket)["on"] is False, "the one that was a wish: an empty `on`"
        assert wish(socket, True)["on"] is True
        assert server.viewers == 1
