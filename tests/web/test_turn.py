"""TURN: told what is wrong with it at the start, never waited for, and the way through when there
is no other."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)
from pydantic import ValidationError
from support.http_client import ask
from support.turn_server import CREDENTIAL, USER, turn_server
from support.waiting import wait_until
from support.web_show import serving

from avatar_nodes.profile.kiosk import KioskSection
from avatar_nodes.web import ice
from avatar_nodes.web.server import WebServer
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.web.web_error import ServerError

TURN = {"turn_user": USER, "turn_credential": CREDENTIAL}
SDP = {"Content-Type": "application/sdp"}


@pytest.mark.parametrize(
    "url", ["turn:user:pass@host", "turn:user:pass@host:3478", "turn://host", "http://host",
            "turns:h?transport=udp", "stun:", "turn:host:port", "stuns:host"],
)  # fmt: skip
def test_what_is_no_server_is_told_from_the_profile_on(url: str) -> None:
    with pytest.raises(ValidationError, match=r"AVATAR_TURN_USER") as refused:
        KioskSection(ice_servers=[url])
    if "pass" in url:
        assert "pass@" not in refused.value.errors()[0]["msg"]


def test_turn_needs_a_user_and_a_credential() -> None:
    settings = KioskSettings(port=0, width=64, height=64, ice_servers=["turn:host:3478"])
    with pytest.raises(ServerError, match=r"turn:host:3478 .*AVATAR_TURN_USER") as refused:
        WebServer(settings, None)  # type: ignore[arg-type]
    assert "\n" not in str(refused.value)


async def _offer(servers: list[RTCIceServer], relayed: bool) -> RTCPeerConnection:
    policy = RTCIceTransportPolicy.RELAY if relayed else RTCIceTransportPolicy.ALL
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers, iceTransportPolicy=policy))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    return peer


async def _answered(server: WebServer, peer: RTCPeerConnection) -> str:
    session = (await asyncio.to_thread(ask, server.url, "POST", "/api/sessions")).json["id"]
    answer = await asyncio.to_thread(
        ask, server.url, "POST", f"/api/sessions/{session}/offer",
        body=peer.localDescription.sdp, headers=SDP,
    )  # fmt: skip
    assert answer.status == 201, answer.body
    return answer.body.decode()


@pytest.mark.parametrize("kind", ["turn", "stun"])
def test_a_server_that_does_not_answer_is_said_and_delays_nobody(kind: str) -> None:
    async def timed(server: WebServer) -> float:
        peer = await _offer([], relayed=False)
        try:
            begun = time.monotonic()
            await _answered(server, peer)
            return time.monotonic() - begun
        finally:
            await peer.close()

    said: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"{kind}:127.0.0.1:{silent.getsockname()[1]}"
        with serving(ice_servers=[url], warn=said.append, **TURN) as (server, _):
            assert len(said) == 1
            assert said[0].startswith(f"{url} has not answered within 3 s")
            assert asyncio.run(timed(server)) < 2.0
            (told,) = ask(server.url, path="/api/about").json["ice_servers"]
            assert told["urls"] == url, "the browser may be somewhere else"


@pytest.mark.parametrize(
    ("url", "words"),
    [("turn:127.0.0.1:1?transport=tcp", "cannot be reached"),
     ("turn:no.such.host.invalid:3478", "cannot be reached"),
     ("stun:no.such.host.invalid:3478", "cannot be reached")],
)  # fmt: skip
def test_a_server_that_is_not_there_is_said(url: str, words: str) -> None:
    said: list[str] = []
    with serving(ice_servers=[url], warn=said.append, **TURN):
        assert len(said) == 1
        assert said[0].startswith(f"{url} {words}"), said
        assert "\n" not in said[0]


def test_a_wrong_credential_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    with turn_server(tmp_path) as at:
        wrong = {"turn_user": USER, "turn_credential": "wrong"}
        with serving(ice_servers=[f"turn:{at}"], warn=said.append, **wrong) as (server, _):
            assert len(said) == 1
            assert "401" in said[0]
            assert "AVATAR_TURN_CREDENTIAL" in said[0]
            assert not server._kiosk.ice.reachable  # type: ignore[union-attr]


def test_a_server_that_goes_and_comes_back_is_said_and_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ice, "LOOK_S", 0.3)
    monkeypatch.setattr(ice, "PATIENCE_S", 1.0)
    said: list[str] = []
    with turn_server(tmp_path) as at:
        port = int(at.rpartition(":")[2])
        with serving(ice_servers=[f"turn:{at}"], warn=said.append, **TURN) as (server, _):
            used = server._kiosk.ice  # type: ignore[union-attr]
            assert [s.urls for s in used.reachable] == [f"turn:{at}"]
            assert not said
    with serving(ice_servers=[f"turn:{at}"], warn=said.append, **TURN) as (server, _):
        used = server._kiosk.ice  # type: ignore[union-attr]
        assert len(said) == 1
        assert not used.reachable
        with turn_server(tmp_path, port=port):
            wait_until(lambda: bool(used.reachable), what="the server again", seconds=20)
            assert said[1:] == [f"turn:{at} answers again"]


def test_who_has_no_way_but_turn_sees_the_avatar_and_the_ports_are_of_the_range(
    tmp_path: Path,
) -> None:
    async def watch(server: WebServer) -> str:
        (told,) = ask(server.url, path="/api/about").json["ice_servers"]
        assert (told["username"], told["credential"]) == (USER, CREDENTIAL)
        peer = await _offer([RTCIceServer(**told)], relayed=True)
        try:
            sdp = await _answered(server, peer)
            await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
            video = next(r.track for r in peer.getReceivers() if r.track.kind == "video")
            for _ in range(5):
                await asyncio.wait_for(video.recv(), 30)
            return sdp
        finally:
            await peer.close()

    with (
        turn_server(tmp_path) as at,
        serving(
            ice_servers=[f"turn:{at}"], media_port=47310, media_ports=4, max_viewers=1, **TURN
        ) as (server, _),
    ):  # fmt: skip
        for _ in range(3):  # ports are given back
            sdp = asyncio.run(watch(server))
            sessions = server._kiosk.sessions  # type: ignore[union-attr]
            candidates = [
                line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")
            ]
            hosts = {int(words[5]) for words in candidates if "host" in words}
            relays = {int(words[5]) for words in candidates if "relay" in words}
            assert hosts <= set(range(47310, 47314))
            assert relays <= set(range(49160, 49201))
            assert relays
            for session in list(sessions._sessions):
                assert ask(server.url, "DELETE", f"/api/sessions/{session}").status == 204
