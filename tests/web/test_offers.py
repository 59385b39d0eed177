"""Offers that race with the end of their session, and offers made to cost time."""

from __future__ import annotations

import asyncio
import http.client
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.http_client import ask
from support.waiting import wait_until
from support.web_show import browser_offer, serving

from avatar_nodes.web import session_routes
from avatar_nodes.web.peer import LONGEST_OFFER, Peer, _reachable

SDP = {"Content-Type": "application/sdp"}


@pytest.fixture(scope="module")
def offer() -> str:
    return asyncio.run(browser_offer())


@pytest.mark.parametrize("wait_s", [0.0, 0.002, 0.01, 0.05])
def test_an_offer_that_races_with_the_end_of_its_session_leaves_no_peer(
    offer: str, wait_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    peers: list[Peer] = []

    def made(*given: Any, **named: Any) -> Peer:
        peers.append(Peer(*given, **named))
        return peers[-1]

    monkeypatch.setattr(session_routes, "Peer", made)
    with serving() as (server, _):
        at = urlsplit(server.url)
        kiosk = server._kiosk
        assert kiosk is not None
        for early in (len(offer) // 2, len(offer)):
            session = ask(server.url, "POST", "/api/sessions").json["id"]
            slow = http.client.HTTPConnection(str(at.hostname), at.port, timeout=30)
            slow.putrequest("POST", f"/api/sessions/{session}/offer")
            slow.putheader("Content-Length", str(len(offer)))
            slow.endheaders()
            slow.send(offer[:early].encode())
            time.sleep(wait_s)
            assert ask(server.url, "DELETE", f"/api/sessions/{session}").status == 204
            slow.send(offer[early:].encode())
            assert slow.getresponse().status in (201, 404)
            slow.close()
            wait_until(lambda: all(peer.over.is_set() for peer in peers), what="no peer")
            assert not kiosk.media._readers, "nobody is shown anything"


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_an_offer_of_many_hidden_addresses_is_read_at_once(end: str) -> None:
    hostile = "a=candidate:" + ".local " * (LONGEST_OFFER // 7) + end
    begun = time.monotonic()
    assert not _reachable(hostile).strip()
    assert time.monotonic() - begun < 0.5


def test_no_more_addresses_are_tried_than_a_browser_has(offer: str) -> None:
    many = "".join(
        f"a=candidate:0 1 udp 1 10.0.{n // 250}.{n % 250} {2000 + n} typ host\r\n"
        for n in range(1000)
    )
    assert _reachable(offer + many).count("a=candidate:") <= 64
    assert "kept.example" not in _reachable(
        offer + "a=candidate:0 1 udp 1 kept.example 2000 typ host\r\n"
    )
