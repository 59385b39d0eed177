"""The page and a viewer as programs, for two hosts: `page ADDRESS ICE_SERVER` prints its address
and serves until its input ends, `viewer URL` prints how it is connected and how many pictures came.
"""

from __future__ import annotations

import asyncio
import sys

from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription

from support.http_client import ask
from support.turn_server import CREDENTIAL, USER
from support.web_show import serving

TOKEN = "visitors-token-0123456789"
_HEADERS = {"Authorization": f"Bearer {TOKEN}"}
_PICTURES = 10


def page(address: str, server: str) -> None:
    """Serve the test picture."""
    with serving(
        host=address, visitor_token=TOKEN, turn_user=USER, turn_credential=CREDENTIAL,
        ice_servers=[server], warn=lambda line: print(line, file=sys.stderr),
    ) as (running, _):  # fmt: skip
        print(running.url, flush=True)
        sys.stdin.read()


async def viewer(url: str) -> None:
    """Look at it as a browser does, by whatever way there is."""
    about = ask(url, path="/api/about", headers=_HEADERS).json
    servers = [RTCIceServer(**server) for server in about["ice_servers"]]
    peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    session = ask(url, "POST", "/api/sessions", headers=_HEADERS).json["id"]
    answer = ask(
        url, "POST", f"/api/sessions/{session}/offer", body=peer.localDescription.sdp,
        headers={**_HEADERS, "Content-Type": "application/sdp"},
    )  # fmt: skip
    await peer.setRemoteDescription(RTCSessionDescription(answer.body.decode(), "answer"))
    video = next(r.track for r in peer.getReceivers() if r.track.kind == "video")
    for _ in range(_PICTURES):
        await asyncio.wait_for(video.recv(), 30)
    transport = peer.getTransceivers()[0].receiver.transport.transport
    pair = transport._connection._nominated[1]
    print(f"{pair.local_candidate.type} {_PICTURES}", flush=True)
    await peer.close()


if __name__ == "__main__":
    if sys.argv[1] == "page":
        page(*sys.argv[2:])
    else:
        asyncio.run(viewer(sys.argv[2]))
