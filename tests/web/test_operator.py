"""The operator's orders, and what is refused before the avatar sees it."""

from __future__ import annotations

import pytest
from support.http_client import ask
from support.web_show import serving

from avatar_nodes.profile.people import shipped_people

PNG = {"Content-Type": "image/png"}
ORDERS = "/api/operator"


@pytest.mark.parametrize("name", ["interrupt", "reset", "prompt", "say", "record"])
def test_an_order_reaches_the_avatar(name: str) -> None:
    with serving() as (server, desk):
        reply = ask(server.url, "POST", f"{ORDERS}/{name}", body={"value": "words"})
        assert (reply.status, reply.json) == (200, {"success": True, "message": ""})
        assert desk.requests == [(name, "words")]


def test_a_refusal_is_passed_on() -> None:
    with serving() as (server, desk):
        desk.refuse["say"] = "the avatar is busy"
        reply = ask(server.url, "POST", f"{ORDERS}/say", body={"value": "x"})
        assert (reply.status, reply.json["message"]) == (409, "the avatar is busy")


def test_only_known_personas_can_be_chosen() -> None:
    """A path of the machine is none of them."""
    with serving(personas=["default", "guide"]) as (server, desk):
        for name, status in (("guide", 200), ("/etc/passwd", 400), ("", 400)):
            reply = ask(server.url, "POST", f"{ORDERS}/persona", body={"value": name})
            assert reply.status == status, name
        assert desk.requests == [("persona", "guide")]


def test_a_shipped_person_is_shown_and_taken_by_name() -> None:
    with serving() as (server, desk):
        shown = ask(server.url, "GET", f"{ORDERS}/people").json["people"]
        assert [entry["name"] for entry in shown] == [person.name for person in shipped_people()]
        for person in shipped_people():
            reply = ask(server.url, "GET", f"{ORDERS}/people/{person.name}")
            assert reply.status == 200 and reply.body == person.picture.read_bytes()
        assert ask(server.url, "GET", f"{ORDERS}/people/people.yaml").status == 404
        for name, status in ((shown[0]["name"], 200), ("../people.yaml", 400), ("", 400)):
            reply = ask(server.url, "POST", f"{ORDERS}/person", body={"value": name})
            assert reply.status == status, name
        assert desk.requests == [("person", shown[0]["name"])]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("fly", {"value": ""}, 404), ("say", {"value": 5}, 400), ("say", {"value": "x" * 2001}, 400),
     ("say", "nonsense", 400), ("say", "x" * 20_000, 413)],
)  # fmt: skip
def test_a_wrong_order_is_refused(path: str, body: object, status: int) -> None:
    with serving() as (server, desk):
        reply = ask(server.url, "POST", f"{ORDERS}/{path}", body=body)
        assert reply.status == status
        assert reply.json["error"]
        assert not desk.requests


def test_a_picture_reaches_the_avatar_as_it_is() -> None:
    with serving() as (server, desk):
        picture = bytes(range(256)) * 1000
        assert (
            ask(server.url, "POST", f"{ORDERS}/reference", body=picture, headers=PNG).status == 200
        )
        assert desk.requests == [("reference", picture)]


def test_a_picture_too_large_is_refused_before_it_is_read() -> None:
    with serving(max_upload_mb=1) as (server, desk):
        for headers in (PNG, {**PNG, "Transfer-Encoding": "chunked"}):
            body = (b"x" * 65_536 for _ in range(1600)) if len(headers) > 1 else b"x" * (1 << 21)
            try:
                reply = ask(server.url, "POST", f"{ORDERS}/reference", body=body, headers=headers)
            except (BrokenPipeError, ConnectionResetError):
                continue  # closed while we were still sending
            assert reply.status == 413
            assert "1 MB" in reply.json["error"]
        assert not desk.requests


@pytest.mark.parametrize("kind", ["", "text/html", "image/svg+xml", "application/octet-stream"])
def test_what_is_no_picture_is_refused(kind: str) -> None:
    with serving() as (server, desk):
        headers = {"Content-Type": kind} if kind else {}
        reply = ask(server.url, "POST", f"{ORDERS}/reference", body=b"x", headers=headers)
        assert reply.status == 415
        assert not desk.requests
