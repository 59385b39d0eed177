"""The kiosk node, by its topics and services on one side and HTTP on the other."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger
from support.http_client import ask
from support.spinner import Spinner, wait_until
from support.web_show import FPS, RATE, SIDE, flash_and_beep
from websockets.sync.client import ClientConnection, connect

from avatar_msgs.msg import AudioChunk, AvatarState, RecordingState, ReplySegment, Utterance
from avatar_msgs.srv import SetPrompt, SetReference
from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.graph.graph import Graph
from avatar_nodes.nodes.kiosk import KioskNode
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.image import image_to_msg
from avatar_nodes.wire.qos import CONTROL, DIAGNOSTICS, LATCHED, SOUND, public_qos
from avatar_nodes.wire.stamp import stamp_of

NAMESPACE = "/booth"


class Avatar:
    """The rest of the graph: publishes what the kiosk shows, and serves what it asks for."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = node = spinner.create_node("avatar", namespace=NAMESPACE)
        self.neighbour = spinner.create_node("avatar", namespace=f"{NAMESPACE}2")
        public = public_qos("RELIABLE")
        self._image = node.create_publisher(Image, "image_raw", public)
        self._audio = node.create_publisher(AudioChunk, "audio", public)
        self.state = node.create_publisher(AvatarState, "state", LATCHED)
        self.utterance = node.create_publisher(Utterance, "user/utterance", SOUND)
        self.reply = node.create_publisher(ReplySegment, "reply", CONTROL)
        self.recording = node.create_publisher(RecordingState, "recording", LATCHED)
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", DIAGNOSTICS)
        self.heard: list[AudioChunk] = []
        self.utterances: list[Utterance] = []
        self.orders: list[Any] = []
        node.create_subscription(AudioChunk, "audio_in", self.heard.append, SOUND)
        node.create_subscription(Utterance, "user/utterance", self.utterances.append, SOUND)

    def serve(self, kind: Any, name: str, **answer: Any) -> None:
        def serve(request: Any, response: Any) -> Any:
            self.orders.append((name, request))
            for field, value in answer.items():
                setattr(response, field, value)
            return response

        self.node.create_service(kind, name, serve)

    def show(self, number: int) -> None:
        frame, sound = flash_and_beep(number)
        stamp = stamp_of(1_000_000_000_000 + number * 1_000_000_000 // FPS)
        image = image_to_msg(frame)
        chunk = audio_to_msg(sound, stream="s", sample_rate=RATE, first_sample=number * len(sound))
        image.header.stamp = chunk.header.stamp = stamp
        self._image.publish(image)
        self._audio.publish(chunk)

    def meet(self) -> None:
        outputs = (self._image, self._audio, self.state, self.reply, self.diagnostics)
        wait_until(lambda: all(o.get_subscription_count() for o in outputs), what="the kiosk")


@pytest.fixture
def avatar(spinner: Spinner) -> Avatar:
    return Avatar(spinner)


def start(context: rclpy.Context, **parameters: object) -> KioskNode:
    values = {"port": 0, "width": SIDE, "height": SIDE, "diagnostics_period_s": 0.1, **parameters}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = KioskNode(context=context, namespace=NAMESPACE, parameter_overrides=overrides)
    node.autostart()
    return node


@pytest.fixture
def kiosk(ros_context: rclpy.Context, spinner: Spinner, avatar: Avatar) -> Iterator[KioskNode]:
    node = start(ros_context, max_viewers=2)
    spinner.add(node)
    avatar.meet()
    yield node
    node.heartbeat.stop()
    node.teardown()


@pytest.fixture
def url(kiosk: KioskNode) -> str:
    return kiosk._server.url


@pytest.fixture
def socket(url: str) -> Iterator[Callable[[str], ClientConnection]]:
    """Opens a socket of the page by its path below the session, or of the operator."""
    session = ask(url, "POST", "/api/sessions").json["id"]
    opened: list[ClientConnection] = []

    def open_socket(path: str) -> ClientConnection:
        path = path if path.startswith("/") else f"/api/sessions/{session}/{path}"
        opened.append(connect(url.replace("http", "ws") + path).__enter__())
        return opened[-1]

    yield open_socket
    for connection in opened:
        connection.close()


def told(connection: ClientConnection, kind: str) -> Any:
    """The next event of that kind."""
    while True:
        event = json.loads(connection.recv(timeout=60))
        if event["type"] == kind:
            return event


def test_pictures_and_sound_of_one_stamp_are_shown_together(
    avatar: Avatar, socket: Callable[[str], ClientConnection]
) -> None:
    socket("events")
    media = socket("media")
    for number in range(5):
        avatar.show(number)
    pieces = [media.recv(timeout=60) for _ in range(10)]
    times = [np.frombuffer(piece[4:12], "<f8")[0] for piece in pieces]
    assert times == [1_000_000.0 + 40.0 * (n // 2) for n in range(10)]
    for number in range(5):
        sound = np.frombuffer(pieces[2 * number][12:], "<i2")
        assert np.array_equal(sound, flash_and_beep(number)[1])


def test_the_page_s_pictures_are_marked_where_the_topics_are_not() -> None:
    tiny = load_profile("tiny")
    marks = {"label": True, "watermark": True}
    for on_topics in ({}, {"watermark": True}, marks):
        profile = with_values(tiny, {"marking": on_topics})
        kiosk = Graph.from_profile(profile, kiosk=True).nodes[-1].parameters
        assert {name: kiosk[name] for name in marks} == {
            name: not on_topics.get(name, False) for name in marks
        }


def test_events_reach_the_page(avatar: Avatar, socket: Callable[[str], ClientConnection]) -> None:
    page, panel = socket("events"), socket("/api/operator/events")
    avatar.state.publish(AvatarState(state=AvatarState.SPEAKING, prompt="A person talks."))
    assert told(page, "state")["state"] == "speaking"
    avatar.reply.publish(ReplySegment(turn=7, index=0, text="Hello.", is_last=True))
    assert told(page, "caption")["text"] == "Hello."
    avatar.reply.publish(ReplySegment(turn=7, cancelled=True))
    assert told(page, "caption")["cut"]
    avatar.recording.publish(RecordingState(active=True, file="x.mp4", seconds=2.0))
    assert told(panel, "recording")["file"] == "x.mp4"
    status = DiagnosticStatus(name=f"{NAMESPACE}/presenter", values=[KeyValue(key="a", value="1")])
    other = DiagnosticStatus(name="/elsewhere/presenter")
    avatar.diagnostics.publish(DiagnosticArray(status=[other, status]))
    figures = told(panel, "figures")
    while figures["node"] == "kiosk":  # its own come, too
        figures = told(panel, "figures")
    assert (figures["node"], figures["values"]) == ("presenter", {"a": "1"})
    avatar.neighbour.get_logger().warning("not of this avatar")
    avatar.node.get_logger().warning("something is odd")
    assert told(panel, "log")["text"] == "something is odd"


def test_what_is_written_is_an_utterance_and_is_shown_once(
    url: str, avatar: Avatar, socket: Callable[[str], ClientConnection]
) -> None:
    page = socket("events")
    session = page.request.path.split("/")[3]  # type: ignore[union-attr]
    for text in ("Who are you?", "And why?"):
        path = f"/api/sessions/{session}/ask"
        assert ask(url, "POST", path, body={"text": text}).status == 202
    wait_until(lambda: len(avatar.utterances) == 2, what="two utterances")
    first, second = avatar.utterances
    assert (first.text, first.is_final, second.text) == ("Who are you?", True, "And why?")
    assert first.turn < second.turn
    assert [told(page, "caption")["text"] for _ in range(2)] == ["Who are you?", "And why?"]
    avatar.state.publish(AvatarState(state=AvatarState.THINKING))
    assert told(page, "state")["state"] == "thinking", "no second caption came before it"


def test_what_is_written_is_newer_than_what_was_heard_before_the_clock_was_set_back(
    kiosk: KioskNode, url: str, avatar: Avatar, socket: Callable[[str], ClientConnection]
) -> None:
    page = socket("events")
    session = page.request.path.split("/")[3]  # type: ignore[union-attr]
    heard = time.time_ns() // 1_000_000 + 5 * 3_600_000
    wait_until(lambda: avatar.utterance.get_subscription_count() > 0, what="the kiosk")
    avatar.utterance.publish(Utterance(turn=heard, text="Hello.", is_final=True))
    avatar.utterance.publish(Utterance(turn=2**64 - 1, text="Hello."))  # no turn that can be
    wait_until(lambda: kiosk.telemetry.rejections.get("turn") == 1, what="both turns")
    ask(url, "POST", f"/api/sessions/{session}/ask", body={"text": "Who are you?"})
    wait_until(lambda: len(avatar.utterances) == 3, what="the question")
    assert avatar.utterances[2].turn == heard + 1


def test_the_browser_s_microphone_becomes_a_topic(
    avatar: Avatar, socket: Callable[[str], ClientConnection]
) -> None:
    page, media = socket("events"), socket("media")
    page.send(json.dumps({"type": "microphone", "on": True}))
    assert told(page, "microphone")["on"]
    sound = np.arange(640, dtype="<i2")
    for _ in range(4):
        media.send(sound.tobytes())
    wait_until(lambda: len(avatar.heard) == 4, what="the sound")
    assert [msg.first_sample for msg in avatar.heard] == [0, 640, 1280, 1920]
    assert {(msg.sample_rate, msg.channels) for msg in avatar.heard} == {(16_000, 1)}
    assert np.array_equal(audio_from_msg(avatar.heard[3]), sound)
    media.close()
    wait_until(lambda: avatar.heard[-1].end_of_stream, what="its end")


def test_orders_become_service_calls(url: str, avatar: Avatar) -> None:
    avatar.serve(Trigger, "interrupt", success=True)
    avatar.serve(SetPrompt, "set_prompt", success=True)
    avatar.serve(
        SetReference, "set_reference", success=False, message="no picture that can be read"
    )
    avatar.serve(SetBool, "recording/set", success=True, message="a.mp4")

    def order(name: str, value: str = "") -> Any:
        return ask(url, "POST", f"/api/operator/{name}", body={"value": value})

    for name in ("interrupt", "prompt", "record"):  # until they have found each other
        wait_until(lambda name=name: order(name, "start").status == 200, what=name)  # type: ignore[misc]
    assert order("record", "start").json["message"] == "a.mp4"
    png = {"Content-Type": "image/png"}
    refused = ask(url, "POST", "/api/operator/reference", body=b"\x89PNG", headers=png)
    assert (refused.status, refused.json["message"]) == (409, "no picture that can be read")
    requests = dict(avatar.orders)
    assert requests["set_prompt"].prompt == "start"
    assert requests["recording/set"].data
    assert requests["set_reference"].image.tobytes() == b"\x89PNG"
    assert requests["set_reference"].framing == SetReference.Request.FACE
    anyway = "/api/operator/reference?framing="
    assert ask(url, "POST", anyway + "middle", body=b"\x89PNG", headers=png).status == 409
    assert dict(avatar.orders)["set_reference"].framing == SetReference.Request.MIDDLE
    assert ask(url, "POST", anyway + "left", body=b"\x89PNG", headers=png).status == 400
    assert order("person", "maya").status == 409
    assert dict(avatar.orders)["set_reference"].path == "maya"
    missing = order("reset")
    assert missing.status == 409
    assert "reset is not there" in missing.json["message"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"host": "0.0.0.0"}, "AVATAR_KIOSK_TOKEN"),
        ({"certificate": "/nowhere.pem"}, "needs its key"),
        ({"host": "203.0.113.7", "port": 80}, "AVATAR_KIOSK_TOKEN"),
    ],
)
def test_what_cannot_work_ends_the_node_with_one_line(
    ros_context: rclpy.Context, parameters: dict[str, object], words: str,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    node = start(ros_context, **parameters)
    try:
        assert node.exit_code == EXIT_MISCONFIGURED
        assert words in capfd.readouterr().err
    finally:
        node.heartbeat.stop()
        node.destroy_node()
