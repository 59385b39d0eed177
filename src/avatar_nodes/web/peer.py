"""Runs one viewer's WebRTC connection: picture and sound out, microphone in."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Sequence

from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.sdp import SessionDescription

from avatar_nodes.web.browser_microphone import BrowserMicrophone
from avatar_nodes.web.media_hub import MediaHub
from avatar_nodes.web.tracks import MediaClock, SoundTrack, VideoTrack
from avatar_nodes.web.web_error import WebError

LONGEST_OFFER = 64 * 1024
_CONNECT_S = 20.0
_MOST_CANDIDATES = 64
_H264 = "video/H264"
_MEDIA = re.compile(r"^m=(\w+)", re.MULTILINE)
_STREAM = re.compile(r"^(a=(?:msid:|ssrc:\d+ msid:))\S+", re.MULTILINE)


class Peer:
    """Answers one offer. `over` is set when either side has ended the connection."""

    def __init__(
        self, hub: MediaHub, microphone: BrowserMicrophone, *, sample_rate: int,
        ice_servers: Sequence[RTCIceServer] = (),
    ) -> None:  # fmt: skip
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=list(ice_servers)))
        self._microphone = microphone
        self._listening: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self.over = asyncio.Event()
        clock = MediaClock()
        self._video = VideoTrack(hub, clock)
        self._sound = SoundTrack(hub, clock, sample_rate=sample_rate)

    async def answer(self, offer: str) -> str:
        """The answer to an offer (SDP) that receives video and receives or sends audio.

        Raises WebError 400: the offer is malformed or asks for something else.
        """
        media = sorted(_MEDIA.findall(offer))
        if media != ["audio", "video"]:
            raise WebError(400, f"expected an offer of one audio and one video, got {media[:4]}")
        connection = self._connection
        connection.on("track", self._on_track)
        connection.on("connectionstatechange", self._on_state)
        try:
            _check_bundle(offer)
            connection.addTrack(self._video)
            connection.addTrack(self._sound)
            self._prefer_h264()  # which counts from the offer on
            described = RTCSessionDescription(sdp=_reachable(offer), type="offer")
            await connection.setRemoteDescription(described)
            await connection.setLocalDescription(await connection.createAnswer())
        except Exception as error:  # aiortc passes on every error of its parser
            raise WebError(400, f"the offer cannot be answered: {error!r:.200}") from None
        self._watch = asyncio.create_task(self._watch_start())
        return _one_stream(connection.localDescription.sdp)

    async def close(self) -> None:
        """End the connection and everything of it."""
        self.over.set()
        self._video.stop()
        self._sound.stop()
        tasks = [task for task in (self._watch, self._listening) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._connection.close()

    def _prefer_h264(self) -> None:
        """The codec that every browser decodes in hardware; and no picture is taken from it."""
        codecs = RTCRtpSender.getCapabilities("video").codecs
        ordered = sorted(codecs, key=lambda codec: codec.mimeType != _H264)
        for transceiver in self._connection.getTransceivers():
            if transceiver.kind == "video":
                transceiver.setCodecPreferences(ordered)
                transceiver.direction = "sendonly"

    def _on_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._listening is None:
            self._listening = asyncio.create_task(self._microphone.follow(track))

    def _on_state(self) -> None:
        state = self._connection.connectionState
        if state == "connected":
            self._connected.set()
        elif state in ("failed", "closed"):
            self.over.set()

    async def _watch_start(self) -> None:
        try:
            await asyncio.wait_for(self._connected.wait(), _CONNECT_S)
        except asyncio.TimeoutError:
            self.over.set()


def _reachable(sdp: str) -> str:
    """With as many candidates as an honest browser has, each an address, and open for more.

    Browsers hide their addresses by names (mDNS), which multicast often does not bring to the
    server; where their own checks come from is known then.
    """
    kept, candidates = [], 0
    for line in sdp.split("\n"):
        if line.startswith("a=candidate:"):
            candidates += 1
            if candidates > _MOST_CANDIDATES or not _has_address(line):
                continue
        if not line.startswith("a=end-of-candidates"):
            kept.append(line)
    return "\n".join(kept)


def _has_address(candidate: str) -> bool:
    fields = candidate.split(" ", 5)
    try:
        ipaddress.ip_address(fields[4])
    except (IndexError, ValueError):
        return False
    return True


def _check_bundle(offer: str) -> None:
    """Raises ValueError: media outside of the bundle. aiortc gives them no transport, and trips
    over that when it connects and when it closes."""
    described = SessionDescription.parse(offer)
    bundled = {
        mid for group in described.group if group.semantic == "BUNDLE" for mid in group.items
    }
    named = {media.rtp.muxId for media in described.media}
    if bundled and bundled != named:
        raise ValueError(f"BUNDLE names {sorted(bundled)!r:.60}, the media {sorted(named)!r:.60}")


def _one_stream(sdp: str) -> str:
    """Both tracks as one stream: browsers keep the tracks of one stream in sync."""
    return _STREAM.sub(r"\g<1>avatar", sdp)
