"""An avatar that converses by way of a speech-to-speech server: it is heard and seen with the
server's own voice, interrupted, and survives the server's accidents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.graph_under_test import GraphUnderTest, Listener
from support.message_visitor import IDLE, SPEAKING
from support.process_group import ProcessGroup
from support.realtime_server import RealtimeServer, tone
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.action import Say
from avatar_msgs.msg import TurnControl
from avatar_nodes.client.scripted_conversation import TOPIC, visited_graph
from avatar_nodes.client.visitor import VirtualVisitor
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.wiring import requests_of, wires_of
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.wire.qos import CONTROL
from avatar_nodes.wire.topics import REQUESTS, TOPICS

QUESTION = Path(__file__).parents[2] / "samples" / "visitor"
PROCESSES = (
    "ears: [microphone, realtime, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)
HERTZ = 300
RATE = 16_000


@pytest.fixture
def server() -> Iterator[RealtimeServer]:
    made = RealtimeServer(answer=tone(6.0, HERTZ), piece_s=0.02)
    yield made
    made.close()


class Watched:
    """The running avatar, its visitor, and what is heard and seen of it."""

    def __init__(self, spinner: Spinner, graph: Graph, visitor: VirtualVisitor) -> None:
        self.avatar = Listener(spinner, graph.namespace)
        self.visitor = visitor
        self.lines: list[tuple[str, str]] = []
        visitor.on_line = lambda who, text: self.lines.append((who, text))
        self.controls: list[TurnControl] = []
        self.avatar.node.create_subscription(
            TurnControl, "turn/control", self.controls.append, CONTROL
        )
        self._say = ActionClient(self.avatar.node, Say, "say")
        self.question = read_audio_file(sorted(QUESTION.glob("*.wav"))[0])

    def asks(self) -> None:
        self.visitor.say(self.question)

    def has_it_say(self, text: str) -> None:
        self._say.wait_for_server()
        self._say.send_goal_async(Say.Goal(text=text))

    def wait_for(self, state: int) -> None:
        wait_until(
            lambda: bool(self.avatar.states) and self.avatar.states[-1].state == state,
            what=f"state {state}",
        )

    def wait_for_voice(self, seconds: float) -> None:
        """Until so much of the server's tone was heard in one piece."""
        chunks = round(seconds * 25)
        wait_until(
            lambda: _is_tone(np.concatenate(list(self.avatar.sound)[-chunks:])),
            what=f"{seconds} s of the server's voice",
        )

    def wait_for_silence(self) -> None:
        wait_until(lambda: not np.concatenate(list(self.avatar.sound)[-12:]).any(), what="silence")


def _is_tone(sound: np.ndarray) -> bool:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    peak = int(np.argmax(spectrum)) * RATE / len(sound)
    return bool(abs(peak - HERTZ) < 5 and np.sqrt(np.mean(np.square(sound, dtype=float))) > 6_000)


@pytest.fixture
def watched(
    server: RealtimeServer, checkpoint: Path, tmp_path: Path, processes: ProcessGroup,
    spinner: Spinner,
) -> Iterator[Watched]:  # fmt: skip
    profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES))
    profile = with_values(profile, {"realtime": {"enabled": True, "url": server.url}})
    graph = visited_graph(profile, namespace="/realtime")
    running = GraphUnderTest(graph, tmp_path, processes)
    with VirtualVisitor(graph.namespace, topic=TOPIC) as visitor:
        made = Watched(spinner, graph, visitor)
        running.start()
        try:
            wait_until(lambda: len(made.avatar.frames) > 12, what="a moving avatar")
            wait_until(lambda: bool(server.of("session.update")), what="the session")
            yield made
        finally:
            print(running.logs())


def test_a_server_s_voice_is_heard_seen_interrupted_and_lost(
    watched: Watched, server: RealtimeServer
) -> None:
    garbage = {"type": "response.output_audio.delta", "response_id": "r", "delta": "%%%"}
    server.say("words", b"\xff\xfe", "[" * 10_000, garbage, {"type": "response.mood"})
    watched.asks()
    watched.wait_for(SPEAKING)
    watched.wait_for_voice(1.0)
    pictures, sounds = len(watched.avatar.frames), len(watched.avatar.sound)
    assert abs(pictures - sounds) <= 2
    assert watched.lines[0] == ("visitor", "who are you")
    assert ("avatar", "I am a lamp.") in watched.lines

    watched.asks()  # into the answer
    wait_until(lambda: len(server.of("conversation.item.truncate")) == 1, what="an interruption")
    watched.wait_for_silence()
    heard_ms = server.of("conversation.item.truncate")[0]["audio_end_ms"]
    spoken = np.count_nonzero([chunk.any() for chunk in list(watched.avatar.sound)])
    assert heard_ms == pytest.approx(spoken * 40.0, abs=120.0)  # and what fell silent behind it
    assert 900 <= heard_ms < 5_500
    first = {control.turn for control in watched.controls}
    assert TurnControl.CANCEL in [control.command for control in watched.controls]
    watched.wait_for_voice(1.0)  # the answer to what was asked then
    assert {control.turn for control in watched.controls} == first

    server.drop()  # in mid-answer: what has come is said
    watched.wait_for_silence()
    watched.wait_for(IDLE)
    wait_until(lambda: len(server.of("session.update")) == 2, what="another session")
    told = [event["item"]["content"][0]["text"] for event in server.of("conversation.item.create")]
    assert "who are you" in told
    watched.visitor.write("and who is that?")
    watched.wait_for_voice(1.0)
    assert "and who is that?" in str(server.of("conversation.item.create")[-1])

    watched.has_it_say("Welcome, all of you.")
    wait_until(lambda: "Welcome, all" in str(server.of("response.create")), what="the request")
    watched.wait_for_voice(1.0)
    assert watched.avatar.states[-1].turn == 0


def test_the_node_s_topics_and_requests_are_all_of_the_graph(server: RealtimeServer) -> None:
    profile = with_values(load_profile("tiny"), {"realtime": {"enabled": True, "url": server.url}})
    graph = Graph.from_profile(profile, mode="converse", kiosk=True)
    wires = {wire.topic: wire for wire in wires_of(graph)}
    for topic in TOPICS:
        if "realtime" in topic.publishers:
            assert "realtime" in wires[topic].publishers
        if "realtime" in topic.readers:
            assert "realtime" in wires[topic].readers
    served = {each.declared for each in requests_of(graph) if each.server == "realtime"}
    assert served == {each for each in REQUESTS if "realtime" in each.servers}
