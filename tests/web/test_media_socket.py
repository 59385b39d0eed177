"""Without WebRTC: every picture and its sound over a socket, and MJPEG."""

from __future__ import annotations

import contextlib
import http.client
import json
import struct
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from support.http_client import ask
from support.waiting import wait_until
from support.web_show import RATE, SIDE, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from avatar_nodes.web.media_hub import MediaSlot
from avatar_nodes.web.server import WebServer


def _sockets(server: WebServer) -> tuple[str, str]:
    session = ask(server.url, "POST", "/api/sessions").json["id"]
    base = f"{server.url.replace('http', 'ws')}/api/sessions/{session}"
    return f"{base}/events", f"{base}/media"


def test_each_picture_comes_with_its_sound() -> None:
    with serving() as (server, _):
        events, media = _sockets(server)
        with connect(events), connect(media) as socket:
            pieces = [socket.recv(timeout=30) for _ in range(60)]
    sounds = {}
    frames = {}
    for piece in pieces:
        assert isinstance(piece, bytes)
        kind, time_ms = struct.unpack_from("<Bxxxd", piece)
        (frames if kind == 0 else sounds)[time_ms] = piece[12:]
    assert len(set(frames) & set(sounds)) >= 28
    bright, loud = set(), set()
    for time_ms in set(frames) & set(sounds):
        picture = cv2.imdecode(np.frombuffer(frames[time_ms], np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape == (SIDE, SIDE, 3)
        bright |= {time_ms} if picture.mean() > 128 else set()
        loud |= {time_ms} if np.abs(np.frombuffer(sounds[time_ms], "<i2")).max() > 2000 else set()
    assert bright
    assert bright == loud, "flash and beep bear one time"


def test_the_microphone_goes_the_same_way() -> None:
    with serving() as (server, desk):
        events, media = _sockets(server)
        with connect(events) as talk, connect(media) as socket:
            sound = np.arange(640, dtype="<i2")
            socket.send(sound.tobytes())
            talk.send(json.dumps({"type": "microphone", "on": True}))
            assert json.loads(talk.recv(timeout=30))["on"]
            for _ in range(3):
                socket.send(sound.tobytes())
            socket.send(b"odd")
            socket.send("words")
            wait_until(lambda: len(desk.sound) >= 3 * 640, what="the sound")
        wait_until(lambda: desk.heard[-1][3], what="its end")
    np.testing.assert_array_equal(desk.sound, np.tile(sound, 3))


def test_it_ends_with_its_session() -> None:
    """A page that has lost only its event socket is no viewer any more, and not heard."""
    sound = np.full(640, 5, "<i2").tobytes()
    with serving(max_viewers=1) as (server, desk):
        events, media = _sockets(server)
        with connect(media) as socket:
            with connect(events) as talk:
                talk.send(json.dumps({"type": "microphone", "on": True}))
                assert json.loads(talk.recv(timeout=30))["on"]
                socket.send(sound)
                wait_until(lambda: len(desk.sound) > 0, what="the sound")
            wait_until(lambda: server.viewers == 0, what="no session")
            wait_until(lambda: desk.heard[-1][3], what="the end of the sound")
            with contextlib.suppress(ConnectionClosed):
                for _ in range(10):
                    socket.send(sound)
            with pytest.raises(ConnectionClosed) as closed:
                for _ in range(200):
                    socket.recv(timeout=30)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404
        assert len(desk.sound) == 640


def test_sound_faster_than_speech_is_dropped() -> None:
    with serving() as (server, desk):
        events, media = _sockets(server)
        with connect(events) as talk, connect(media) as socket:
            talk.send(json.dumps({"type": "microphone", "on": True}))
            assert json.loads(talk.recv(timeout=30))["on"]
            for _ in range(200):
                socket.send(bytes(32_000))  # a second each
            wait_until(lambda: len(desk.sound) > 0, what="some of it")
        wait_until(lambda: desk.heard[-1][3], what="its end")
    assert len(desk.sound) < 100 * RATE


def test_a_reader_that_stops_reading_holds_nobody_back() -> None:
    with serving(max_viewers=2, width=SIDE) as (server, _):
        events, media = _sockets(server)
        other_events, other_media = _sockets(server)
        stuck = connect(media, max_queue=1)
        with connect(events), stuck, connect(other_events), connect(other_media) as socket:
            for _ in range(100):
                socket.recv(timeout=30)


def test_motion_jpeg_counts_as_a_viewer() -> None:
    with serving(max_viewers=1) as (server, _):
        at = urlsplit(server.url)
        assert at.hostname is not None
        connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
        connection.request("GET", "/stream.mjpg")
        response = connection.getresponse()
        assert response.status == 200
        kind, _, boundary = response.headers["content-type"].partition("; boundary=")
        assert kind == "multipart/x-mixed-replace"
        for _ in range(3):
            assert response.readline() == f"--{boundary}\r\n".encode()
            head = http.client.parse_headers(response)
            jpeg = response.read(int(head["content-length"]))
            assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape[0] == SIDE
            response.readline()
        assert ask(server.url, path="/stream.mjpg").status == 503
        response.close()
        connection.close()
        wait_until(lambda: server.viewers == 0, what="the viewer gone")


def test_sound_is_at_the_rate_that_the_page_is_told() -> None:
    with serving() as (server, _):
        assert ask(server.url, path="/api/about").json["sample_rate"] == RATE


def test_what_is_shown_is_marked_once_and_only_if_somebody_looks() -> None:
    marked: list[int] = []

    def mark(frame: np.ndarray) -> np.ndarray:
        marked.append(1)
        return np.full_like(frame, 255)

    slot = MediaSlot(0, np.zeros((16, 16, 3), np.uint8), np.zeros(640, np.int16), mark)
    assert not marked
    assert (slot.frame == 255).all()
    assert cv2.imdecode(np.frombuffer(slot.jpeg, np.uint8), cv2.IMREAD_COLOR).min() > 250
    assert slot.planes[:16].min() > 230
    assert len(marked) == 1
