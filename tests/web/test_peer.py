"""WebRTC, with aiortc as the browser: picture and sound on one clock, the microphone back."""

from __future__ import annotations

import asyncio
import fractions
import re
from collections.abc import Callable

import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import AudioFrame, VideoFrame
from support.http_client import ask
from support.web_show import RATE, SIDE, WrittenDesk, serving

from avatar_nodes.web.server import WebServer

SDP = {"Content-Type": "application/sdp"}


class Tone(MediaStreamTrack):
    """A microphone that hears 440 Hz, 20 ms a packet."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._sent = 0

    async def recv(self) -> AudioFrame:
        await asyncio.sleep(0.02)
        at = (np.arange(960) + self._sent) / 48_000
        samples = (9000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
        frame = AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = (
            48_000,
            self._sent,
            fractions.Fraction(1, 48_000),
        )
        self._sent += 960
        return frame


def hidden(sdp: str) -> str:
    """As browsers hide their addresses: a name that is known to nobody in this network."""
    return re.sub(
        r"^(a=candidate:(?:\S+ ){4})\S+", r"\g<1>0c3f-no-one.local", sdp, flags=re.MULTILINE
    )


async def call(
    server: WebServer,
    microphone: MediaStreamTrack | None = None,
    sent: Callable[[str], str] = str,
) -> RTCPeerConnection:
    """A connected peer. sent: what the server gets of its offer."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver(microphone or "audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    session = (await asyncio.to_thread(ask, server.url, "POST", "/api/sessions")).json["id"]
    path = f"/api/sessions/{session}/offer"
    answer = await asyncio.to_thread(
        ask, server.url, "POST", path, body=sent(peer.localDescription.sdp), headers=SDP
    )
    assert answer.status == 201, answer.body
    sdp = answer.body.decode()
    assert sdp.count("a=msid:avatar ") == 2, "one stream, which browsers keep in sync"
    first_codec = sdp[sdp.index("m=video") :].partition("a=rtpmap:")[2]
    assert "H264" in first_codec.partition("\n")[0]
    await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
    return peer


def _track(peer: RTCPeerConnection, kind: str) -> MediaStreamTrack:
    return next(r.track for r in peer.getReceivers() if r.track.kind == kind)


async def _until(condition: Callable[[], bool], what: str) -> None:
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"not within 60 s: {what}")


async def flashes(peer: RTCPeerConnection, count: int) -> list[float]:
    """Media times at which the picture becomes bright [s]."""
    found: list[float] = []
    dark = False
    while len(found) < count:
        frame = await _track(peer, "video").recv()
        assert isinstance(frame, VideoFrame)
        assert (frame.width, frame.height) == (SIDE, SIDE)
        bright = frame.to_ndarray(format="gray").mean() > 128
        if bright and dark:
            found.append(float(frame.pts * frame.time_base))
        dark = not bright
    return found


async def beeps(peer: RTCPeerConnection, count: int) -> list[float]:
    """Media times at which the sound begins [s]."""
    found: list[float] = []
    silent = False
    while len(found) < count:
        frame = await _track(peer, "audio").recv()
        assert isinstance(frame, AudioFrame)
        loud = np.abs(frame.to_ndarray()).max() > 2000
        if loud and silent:
            found.append(float(frame.pts * frame.time_base))
        silent = not loud
    return found


def test_flash_and_beep_have_one_time() -> None:
    """Both tracks begin their clocks with the same stamp, so that equal times belong together."""

    async def watch(server: WebServer) -> None:
        peer = await call(server)
        try:
            seen, heard = await asyncio.gather(flashes(peer, 3), beeps(peer, 3))
            # The first of either may be missed while the other is there already.
            nearest = [min(abs(flash - beep) for beep in heard) for flash in seen]
            assert sorted(nearest)[1] <= 0.06, (seen, heard)
            periods = np.diff(seen)
            np.testing.assert_allclose(periods, np.round(periods), atol=0.001)
        finally:
            await peer.close()

    with serving() as (server, _):
        asyncio.run(watch(server))


def test_a_browser_that_hides_its_addresses_is_reached() -> None:
    """The names cannot be resolved where multicast does not pass; its checks tell where it is."""

    async def watch(server: WebServer) -> None:
        peer = await call(server, sent=hidden)
        try:
            assert await flashes(peer, 1)
        finally:
            await peer.close()

    with serving() as (server, _):
        asyncio.run(asyncio.wait_for(watch(server), 60))


def test_the_microphone_reaches_the_avatar_only_with_the_floor() -> None:
    from websockets.asyncio.client import connect

    async def talk(server: WebServer, desk: WrittenDesk) -> None:
        peer = await call(server, Tone())
        try:
            await _until(lambda: peer.connectionState == "connected", "a connection")
            await asyncio.sleep(0.5)
            assert not desk.heard
            sessions = server._kiosk.sessions._sessions  # type: ignore[union-attr]
            url = f"{server.url.replace('http', 'ws')}/api/sessions/{next(iter(sessions))}/events"
            async with connect(url) as events:
                await events.send('{"type": "microphone", "on": true}')
                await _until(lambda: len(desk.sound) > RATE, "a second of sound")
                await events.send('{"type": "microphone", "on": false}')
                await _until(lambda: desk.heard[-1][3], "the end of the sound")
                before = len(desk.heard)
                await asyncio.sleep(0.3)
                assert len(desk.heard) == before
        finally:
            await peer.close()

    with serving() as (server, desk):
        asyncio.run(talk(server, desk))
    firsts = [first for _, first, samples, _ in desk.heard if len(samples)]
    lengths = [len(samples) for _, _, samples, _ in desk.heard if len(samples)]
    assert firsts == [sum(lengths[:n]) for n in range(len(lengths))], "no hole, nothing twice"
    spectrum = np.abs(np.fft.rfft(desk.sound[4000:12_000]))
    assert abs(int(spectrum.argmax()) * RATE / 8000 - 440) < 5


def test_a_page_that_vanishes_ends_its_sound() -> None:
    """In the middle of a word, so that nobody waits for its end."""

    async def talk(server: WebServer, desk: WrittenDesk) -> None:
        peer = await call(server, Tone())
        sessions = server._kiosk.sessions  # type: ignore[union-attr]
        sessions.take_floor(next(iter(sessions._sessions.values())))
        await _until(lambda: len(desk.sound) > 0, "sound")
        await peer.close()
        await _until(lambda: desk.heard[-1][3], "its end")

    with serving() as (server, desk):
        asyncio.run(talk(server, desk))


@pytest.mark.parametrize(
    "offer",
    ["", "nonsense", "v=0\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=video x\r\n",
     "v=0\r\n" + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 50, "\0" * 100, "m=" * 30_000],
)  # fmt: skip
def test_a_malformed_offer_is_refused_and_leaves_nothing(offer: str) -> None:
    with serving() as (server, _):
        session = ask(server.url, "POST", "/api/sessions").json["id"]
        path = f"/api/sessions/{session}/offer"
        reply = ask(server.url, "POST", path, body=offer, headers=SDP)
        assert reply.status == 400
        assert reply.json["error"]
        assert ask(server.url, "POST", path, body=b"\xff\xfe", headers=SDP).status == 400
        too_long = ask(server.url, "POST", path, body="v=0\r\n" + "a=x\r\n" * 20_000, headers=SDP)
        assert too_long.status == 413
        kiosk = server._kiosk
        assert kiosk is not None
        assert not kiosk.media._readers, "no track is left behind"
