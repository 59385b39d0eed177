"""A web server with a test picture instead of an avatar, and a desk that writes down what it is
asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection

from avatar_nodes.web.desk import Answer
from avatar_nodes.web.server import WebServer
from avatar_nodes.web.settings import KioskSettings

FPS = 25
RATE = 16_000
SIDE = 128
PERIOD = 25
"""Frames between two flashes with their beeps."""
_BRIGHT = 3


class WrittenDesk:
    """Accepts everything but what `refuse` names."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, np.ndarray, bool]] = []
        self.asked: list[str] = []
        self.requests: list[tuple[str, str | bytes]] = []
        self.refuse: dict[str, str] = {}

    def hear(
        self, samples: np.ndarray, *, stream: str, first_sample: int, end_of_stream: bool = False
    ) -> None:
        self.heard.append((stream, first_sample, samples.copy(), end_of_stream))

    def ask(self, text: str) -> int:
        self.asked.append(text)
        return len(self.asked)

    async def request(self, name: str, value: str | bytes = "") -> Answer:
        self.requests.append((name, value))
        return Answer(name not in self.refuse, self.refuse.get(name, ""))

    @property
    def sound(self) -> np.ndarray:
        """Everything heard, int16 [n]."""
        return np.concatenate(
            [np.zeros(0, np.int16), *(samples for _, _, samples, _ in self.heard)]
        )


def flash_and_beep(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame `number` of a dark picture that flashes once a second, and its sound: a beep then."""
    bright = number % PERIOD < _BRIGHT
    frame = np.full((SIDE, SIDE, 3), 235 if bright else 20, np.uint8)
    frame[:, (number * 2) % SIDE] = 128
    at = (np.arange(RATE // FPS) + number * (RATE // FPS)) / RATE
    beep = 12_000 * np.sin(2 * np.pi * 880 * at) * bright
    return frame, beep.astype(np.int16)


class Show:
    """Shows the test picture at its pace, from a thread."""

    def __init__(self, server: WebServer) -> None:
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="show", daemon=True)

    def __enter__(self) -> Show:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        begun, number = time.time_ns(), 0
        while True:
            stamp = begun + number * 1_000_000_000 // FPS
            if self._over.wait(max(0.0, (stamp - time.time_ns()) / 1e9)):
                return
            self._server.show(stamp, *flash_and_beep(number))
            number += 1


@contextmanager
def serving(
    *,
    visitor_token: str = "",
    operator_token: str = "",
    turn_user: str = "",
    turn_credential: str = "",
    warn: Callable[[str], None] = lambda line: None,
    **values: Any,
) -> Iterator[tuple[WebServer, WrittenDesk]]:
    """A server with the test picture, at a free port of this machine unless `values` say else."""
    desk = WrittenDesk()
    chosen: dict[str, Any] = {"port": 0, "width": SIDE, "height": SIDE, **values}
    server = WebServer(
        KioskSettings(**chosen), desk, visitor_token=visitor_token, operator_token=operator_token,
        turn_user=turn_user, turn_credential=turn_credential, warn=warn,
    )  # fmt: skip
    server.start()
    try:
        with Show(server):
            yield server, desk
    finally:
        server.close()


async def browser_offer() -> str:
    """What a browser offers (SDP): to be shown a picture, and to talk."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    peer.addTransceiver("audio", direction="sendrecv")
    await peer.setLocalDescription(await peer.createOffer())
    sdp = peer.localDescription.sdp
    await peer.close()
    return sdp
