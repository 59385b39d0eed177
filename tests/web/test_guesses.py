"""Tokens that are guessed, by every way there is; addresses that are made up; what lets in."""

from __future__ import annotations

import time

import pytest
from support.http_client import ask
from support.web_show import serving

from avatar_nodes.web import access
from avatar_nodes.web.rate_limits import network_of

VISITOR, OPERATOR = "visitors-token-0123456789", "operators-token-0123456789"
TOKENS = {"visitor_token": VISITOR, "operator_token": OPERATOR}


def _try(url: str, way: str, token: str, headers: dict[str, str]) -> int:
    if way == "form":
        return ask(url, "POST", "/login", body=f"token={token}", headers=headers).status
    if way == "address":
        return ask(url, path=f"/?token={token}", headers=headers).status
    return ask(
        url, path="/api/about", headers={**headers, "Authorization": f"Bearer {token}"}
    ).status


@pytest.mark.parametrize("way", ["form", "address", "bearer"])
def test_guessing_is_slowed_down_whatever_address_is_claimed(way: str) -> None:
    with serving(**TOKENS) as (server, _):
        statuses = [
            _try(server.url, way, f"guess{n}", {"X-Forwarded-For": f"10.0.0.{n}"})
            for n in range(15)
        ]
        assert statuses == [401] * 10 + [429] * 5
        assert _try(server.url, way, VISITOR, {}) == 429, "nor does the right one tell"


def test_who_is_let_in_already_does_not_suffer_from_it() -> None:
    with serving(**TOKENS) as (server, _):
        cookie = ask(server.url, path=f"/?token={VISITOR}").headers["set-cookie"]
        for n in range(12):
            _try(server.url, "form", f"guess{n}", {})
        kept = {"Cookie": cookie.partition(";")[0]}
        assert ask(server.url, path="/api/about", headers=kept).status == 200


def test_a_proxy_that_is_known_is_believed() -> None:
    with serving(**TOKENS, proxies=["127.0.0.1"]) as (server, _):
        for n in range(12):
            forwarded = {"X-Forwarded-For": f"10.0.0.{n}", "X-Forwarded-Proto": "https"}
            assert _try(server.url, "form", "wrong", forwarded) == 401
        entered = ask(server.url, path=f"/?token={VISITOR}", headers=forwarded)
        assert "Secure" in entered.headers["set-cookie"]


def test_a_customer_of_ipv6_is_one_address() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == network_of("fe80::2")


@pytest.mark.parametrize("host", ["x/static/?", "x/healthz?", "localhost/static/#"])
def test_what_host_says_opens_no_path(host: str) -> None:
    with serving(**TOKENS) as (server, desk):
        reply = ask(server.url, "POST", "/api/operator/reset", headers={"Host": host})
        assert reply.status in (400, 401)
        assert ask(server.url, path="/api/about", headers={"Host": host}).status in (400, 401)
        assert not desk.requests


def test_logging_out_and_the_age_of_a_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(**TOKENS) as (server, _):
        assert not ask(server.url, path="/api/about", headers=_bearer()).json["logged_in"]
        cookie = ask(server.url, path=f"/?token={VISITOR}").headers["set-cookie"].partition(";")[0]
        about = ask(server.url, path="/api/about", headers={"Cookie": cookie})
        assert about.json["logged_in"]
        left = ask(server.url, "POST", "/logout", headers={"Cookie": cookie})
        assert left.status == 303
        assert 'avatar_access=""' in left.headers["set-cookie"]
        assert "Max-Age=0" in left.headers["set-cookie"]
        foreign = {"Cookie": cookie, "Origin": "http://evil.example"}
        assert ask(server.url, "POST", "/logout", headers=foreign).status == 403
        now = time.time()
        for later_s, status in ((access.COOKIE_S - 60, 200), (access.COOKIE_S + 60, 401)):
            monkeypatch.setattr(access.time, "time", lambda later_s=later_s: now + later_s)
            assert ask(server.url, path="/api/about", headers={"Cookie": cookie}).status == status
        monkeypatch.undo()
        issued, _, proof = cookie.partition("=")[2].partition(".")
        for forged in (f"{int(issued) + 1}.{proof}", f"{'9' * 5000}.{proof}", f"-1.{proof}", proof):
            headers = {"Cookie": f"avatar_access={forged}"}
            assert ask(server.url, path="/api/about", headers=headers).status == 401


def _bearer() -> dict[str, str]:
    return {"Authorization": f"Bearer {VISITOR}"}
