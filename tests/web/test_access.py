"""Who is let in, and what the others are told."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest
from support.http_client import ask
from support.web_show import serving
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from avatar_nodes.web.access import AccessRules
from avatar_nodes.web.server import WebServer
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.web.web_error import ServerError

SIZE = {"width": 64, "height": 64}
VISITOR, OPERATOR = "visitors-token-0123456789", "operators-token-0123456789"
TOKENS = {"visitor_token": VISITOR, "operator_token": OPERATOR}
JSON = {"Content-Type": "application/json"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "robot.example"])
def test_an_address_that_others_reach_needs_a_token(host: str) -> None:
    with pytest.raises(ServerError, match="AVATAR_KIOSK_TOKEN"):
        AccessRules(host)
    AccessRules(host, visitor_token=VISITOR)


def test_tokens_are_long_and_differ() -> None:
    with pytest.raises(ServerError, match="expected 16"):
        AccessRules("0.0.0.0", visitor_token="short")
    with pytest.raises(ServerError, match="expected two"):
        AccessRules("0.0.0.0", visitor_token=VISITOR, operator_token=VISITOR)


def test_on_this_machine_nobody_is_asked() -> None:
    with serving() as (server, _):
        for path in ("/", "/operator", "/telepresence", "/api/about"):
            assert ask(server.url, path=path).status == 200


def test_without_a_token_nothing_is_shown_or_done() -> None:
    with serving(**TOKENS) as (server, desk):
        for path in ("/", "/operator", "/telepresence"):
            reply = ask(server.url, path=path)
            assert reply.status == 401
            assert b'name="token"' in reply.body, "a form to enter it"
        for method, path in (
            ("GET", "/api/about"), ("POST", "/api/sessions"), ("GET", "/stream.mjpg"),
            ("POST", "/api/operator/reset"), ("GET", "/api/operator/preview.mjpg"),
        ):  # fmt: skip
            reply = ask(server.url, method, path)
            assert reply.status == 401, path
            assert "token" in reply.json["error"]
        with pytest.raises(InvalidStatus) as refused:
            connect(server.url.replace("http", "ws") + "/api/operator/events")
        assert refused.value.response.status_code == 403
        assert not desk.requests


def test_a_visitor_is_no_operator() -> None:
    with serving(**TOKENS) as (server, desk):
        assert ask(server.url, path="/api/about", headers=bearer(VISITOR)).status == 200
        assert ask(server.url, path="/operator", headers=bearer(VISITOR)).status == 401
        refused = ask(server.url, "POST", "/api/operator/reset", headers=bearer(VISITOR))
        assert refused.status == 403
        assert "operator" in refused.json["error"]
        assert not desk.requests
        taken = ask(server.url, "POST", "/api/operator/reset", headers=bearer(OPERATOR))
        assert taken.status == 200
        assert desk.requests == [("reset", "")]


@pytest.mark.parametrize("token", ["", "x", VISITOR[:-1], VISITOR + "x", "ü" * 20])
def test_a_wrong_token_is_none(token: str) -> None:
    with serving(**TOKENS) as (server, _):
        headers = {"Authorization": f"Bearer {token}".encode().decode("latin-1")}
        assert ask(server.url, path="/api/about", headers=headers).status == 401


def test_a_token_in_the_address_becomes_a_cookie_that_outlasts_the_server() -> None:
    with serving(**TOKENS) as (server, _):
        entered = ask(server.url, path=f"/?token={VISITOR}")
        assert entered.status == 303
        assert entered.headers["location"] == "/"
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert VISITOR not in cookie
    kept = {"Cookie": cookie.partition(";")[0]}
    with serving(**TOKENS) as (server, _):
        assert ask(server.url, path="/", headers=kept).status == 200
        assert ask(server.url, path="/operator", headers=kept).status == 401


def test_the_form_lets_in_and_leads_nowhere_else() -> None:
    with serving(**TOKENS) as (server, _):
        for target, leads in (("/operator", "/operator"), ("https://evil.example/", "/")):
            body = f"token={OPERATOR}&to={target}"
            entered = ask(server.url, "POST", "/login", body=body)
            assert entered.status == 303
            assert entered.headers["location"] == leads
        assert ask(server.url, "POST", "/login", body="token=wrong").status == 401


def test_guessing_is_slowed_down() -> None:
    with serving(**TOKENS) as (server, _):
        statuses = [
            ask(server.url, "POST", "/login", body=f"token=guess{n}").status for n in range(15)
        ]
    assert statuses == [401] * 10 + [429] * 5


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_other_pages_cannot_act_through_a_browser(origin: str) -> None:
    with serving() as (server, desk):
        refused = ask(server.url, "POST", "/api/operator/reset", headers={"Origin": origin})
        assert refused.status == 403
        with pytest.raises(InvalidStatus):
            connect(
                server.url.replace("http", "ws") + "/api/operator/events",
                additional_headers={"Origin": origin},
            )
        assert not desk.requests
        own = {"Origin": server.url}
        assert ask(server.url, "POST", "/api/operator/reset", headers=own).status == 200


def test_a_name_that_is_not_ours_is_refused() -> None:
    """A page of others may point its own name at 127.0.0.1 (DNS rebinding)."""
    with serving(hosts=["kiosk.example"]) as (server, _):
        assert ask(server.url, path="/", headers={"Host": "evil.example"}).status == 403
        assert ask(server.url, path="/", headers={"Host": "kiosk.example"}).status == 200
        assert ask(server.url, path="/", headers={"Host": "localhost:8080"}).status == 200


def test_answers_carry_what_protects_the_page() -> None:
    with serving() as (server, _):
        for path in ("/", "/static/kiosk.js", "/api/about", "/nothing"):
            headers = ask(server.url, path=path).headers
            assert "default-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py",
     "/..%2f..%2fsetup.py", "/static//etc/passwd", "/static/....//server.py"],
)  # fmt: skip
def test_nothing_outside_the_pages_is_served(path: str) -> None:
    with serving() as (server, _):
        assert ask(server.url, path=path).status == 404


def test_elsewhere_the_page_is_encrypted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with serving(host="0.0.0.0", **TOKENS) as (server, _):
        assert server.url.startswith("https://0.0.0.0:")
        reached = server.url.replace("0.0.0.0", "127.0.0.1")
        assert ask(reached, path="/api/about", headers=bearer(VISITOR)).status == 200
        entered = ask(reached, path=f"/?token={VISITOR}")
        assert "Secure" in entered.headers["set-cookie"]
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            ask(reached.replace("https", "http"))
    key = tmp_path / "avatar_nodes" / "kiosk_key.pem"
    assert key.stat().st_mode & 0o077 == 0, "the key is its owner's"


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for options, words in (
        ({"certificate": str(wrong)}, "needs its key"),
        ({"certificate": str(wrong), "key": str(wrong)}, "wrong.pem"),
        ({"certificate": str(tmp_path / "gone.pem"), "key": str(wrong)}, "gone.pem"),
    ):
        with pytest.raises(ServerError, match=words):
            WebServer(KioskSettings(port=0, **SIZE, **options), None)  # type: ignore[arg-type]


def test_a_port_that_is_taken_is_named() -> None:
    with serving() as (server, _):
        port = int(server.url.rpartition(":")[2])
        second = WebServer(KioskSettings(port=port, **SIZE), None)  # type: ignore[arg-type]
        with pytest.raises(ServerError, match=f"{port}.*in use"):
            second.start()
