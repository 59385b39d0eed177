"""The voice node, by its topics: a reply in, one stream of sound out, held and dropped as told."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rclpy
from rclpy.parameter import Parameter
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import AudioChunk, AudioDemand, Persona, ReplySegment, TurnControl
from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.phrasebook import standing_sentences
from avatar_nodes.nodes.voice import VoiceNode
from avatar_nodes.speaking.synthesis import backends
from avatar_nodes.speaking.synthesis.espeak import EspeakSynthesiser
from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.qos import CONTROL, LATCHED, SOUND

RATE = 16_000
WINDOW = 23_040
SENTENCES = ("Hello there, I am very glad to see you.", "What is your name?")
LONG = SENTENCES[0] * 20


class Conductor:
    """Sends sentences and orders, demands sound and collects it."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("someone")
        self.chunks: list[AudioChunk] = []
        self.node.create_subscription(AudioChunk, "speech/audio", self.chunks.append, SOUND)
        self._reply = self.node.create_publisher(ReplySegment, "reply", CONTROL)
        self._control = self.node.create_publisher(TurnControl, "turn/control", CONTROL)
        self._demand = self.node.create_publisher(AudioDemand, "speech/demand", LATCHED)

    def meet(self) -> None:
        outputs = (self._reply, self._control, self._demand)
        wait_until(
            lambda: (
                all(output.get_subscription_count() for output in outputs)
                and self.node.count_publishers("speech/audio") > 0
            ),
            what="the voice",
        )

    def say(self, turn: int, *sentences: str) -> None:
        for index, text in enumerate(sentences):
            last = index == len(sentences) - 1
            self._reply.publish(ReplySegment(turn=turn, index=index, text=text, is_last=last))

    def order(self, turn: int, command: int) -> None:
        self._control.publish(TurnControl(turn=turn, command=command))

    def demand(self, stream: str, first: int, limit: int) -> None:
        self._demand.publish(AudioDemand(stream=stream, next_sample=first, limit_sample=limit))

    def of(self, turn: int) -> list[AudioChunk]:
        return [chunk for chunk in list(self.chunks) if turn_of(chunk.stream) == turn]

    def heard(self, turn: int) -> np.ndarray:
        """The speech of a turn; what came twice is left out."""
        sound = np.zeros(0, np.int16)
        for chunk in self.of(turn):
            assert chunk.first_sample <= len(sound), "a hole"
            sound = np.concatenate(
                [sound, audio_from_msg(chunk)[len(sound) - chunk.first_sample :]]
            )
        return sound

    def ended(self, turn: int) -> bool:
        return any(chunk.end_of_stream for chunk in self.of(turn))

    def listen(self, turn: int) -> np.ndarray:
        """The whole speech of a turn, demanded bit by bit."""

        def over() -> bool:
            if chunks := self.of(turn):
                first = len(self.heard(turn))
                self.demand(chunks[-1].stream, first, first + WINDOW)
            return self.ended(turn)

        wait_until(over, what=f"the end of turn {turn}")
        return self.heard(turn)


@pytest.fixture
def conductor(spinner: Spinner) -> Conductor:
    return Conductor(spinner)


def start(context: rclpy.Context, spinner: Spinner, **parameters: object) -> VoiceNode:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = VoiceNode(context=context, parameter_overrides=overrides)
    node.autostart()
    return node


@pytest.fixture
def voice(
    ros_context: rclpy.Context, spinner: Spinner, conductor: Conductor
) -> Iterator[VoiceNode]:
    node = start(ros_context, spinner, diagnostics_period_s=0.1)
    spinner.add(node)
    conductor.meet()
    yield node
    end(node)


def end(node: VoiceNode) -> None:
    """Its threads end; what is ROS's ends with the spinner, which still turns."""
    node.heartbeat.stop()
    node.teardown()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"speaker", "espeak", "http", "http loop"}


@pytest.fixture(scope="module")
def whole() -> np.ndarray:
    """SENTENCES, said one after the other."""
    espeak = EspeakSynthesiser()
    first, second = (np.concatenate(list(espeak.synthesise(text))) for text in SENTENCES)
    espeak.close()
    return np.concatenate([first, np.zeros(round(0.2 * RATE), np.int16), second])


def test_a_reply_becomes_a_stream(
    voice: VoiceNode, conductor: Conductor, whole: np.ndarray
) -> None:
    conductor.say(11, *SENTENCES)
    wait_until(lambda: len(conductor.heard(11)) >= RATE, what="the lead, unasked")
    conductor.demand("turn-11-another", 0, 10**6)
    assert np.array_equal(conductor.listen(11), whole)
    chunks = conductor.of(11)
    assert len({chunk.stream for chunk in chunks}) == 1
    assert {(chunk.sample_rate, chunk.channels) for chunk in chunks} == {(RATE, 1)}
    assert all(len(chunk.data) <= 640 for chunk in chunks)
    assert [chunk.end_of_stream for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    stamps = [(chunk.header.stamp.sec, chunk.header.stamp.nanosec) for chunk in chunks]
    assert all(one <= other for one, other in pairwise(stamps))
    wait_until(lambda: "real_time_factor_p50" in voice.telemetry.report(), what="the figures")
    report = voice.telemetry.report()
    assert float(report["first_sound_ms_max"]) > 0
    assert (report["failures"], report["late"], report["given_up"]) == ("0", "0", "0")


def test_a_restarted_conductor_gets_it_again(
    voice: VoiceNode, conductor: Conductor, whole: np.ndarray
) -> None:
    conductor.say(12, *SENTENCES)
    conductor.listen(12)
    stream = conductor.chunks[0].stream
    conductor.chunks.clear()
    conductor.demand(stream, 4000, 4000 + WINDOW)
    wait_until(lambda: bool(conductor.chunks), what="the samples from there on")
    first = conductor.chunks[0]
    assert (first.stream, first.first_sample) == (stream, 4000)
    assert np.array_equal(audio_from_msg(first), whole[4000:4640])


def test_held_resumed_and_cancelled(voice: VoiceNode, conductor: Conductor) -> None:
    conductor.order(21, TurnControl.PAUSE)
    wait_until(lambda: voice._speaker._outlet._held_through == 21, what="the order")
    conductor.say(21, LONG)
    reply = lambda: voice._speaker.reply  # noqa: E731
    wait_until(lambda: reply() is not None and reply().ahead > RATE, what="speech, unheard")
    assert conductor.chunks == []
    conductor.order(21, TurnControl.RESUME)
    wait_until(lambda: len(conductor.heard(21)) == RATE, what="the lead")
    conductor.order(22, TurnControl.CANCEL)
    wait_until(lambda: conductor.ended(21), what="the end of the stream")
    count = len(conductor.chunks)
    conductor.demand(conductor.chunks[0].stream, RATE, RATE + WINDOW)
    conductor.say(22, "Never heard.")
    conductor.say(23, "Yes.")
    conductor.listen(23)
    assert len(conductor.of(21)) == count and conductor.of(22) == []
    assert voice.telemetry.report()["late"] == "1"


def test_a_newer_turn_replaces_an_older_one(voice: VoiceNode, conductor: Conductor) -> None:
    conductor.say(31, LONG)
    wait_until(lambda: bool(conductor.of(31)), what="the first sound")
    conductor.say(32, "Yes.")
    conductor.listen(32)
    assert conductor.ended(31)
    turns = [turn_of(chunk.stream) for chunk in conductor.chunks]
    assert turns == sorted(turns)


def test_what_the_reasoner_breaks_off(voice: VoiceNode, conductor: Conductor) -> None:
    conductor.say(41, LONG)
    wait_until(lambda: bool(conductor.of(41)), what="the first sound")
    conductor._reply.publish(ReplySegment(turn=41, index=1, cancelled=True))
    wait_until(lambda: conductor.ended(41), what="the end of the stream")


def test_a_turn_from_before_the_clock_was_set_back_is_spoken(
    voice: VoiceNode, conductor: Conductor
) -> None:
    turn = time.time_ns() // 1_000_000 + 5 * 3_600_000
    conductor.say(turn, "Yes.")
    assert len(conductor.listen(turn))


def test_bad_messages_are_refused_and_counted(voice: VoiceNode, conductor: Conductor) -> None:
    conductor.order(2**63, TurnControl.CANCEL)
    conductor.say(2**64 - 1, "From the future.")
    conductor.order(51, 99)
    conductor.demand("", 9, 3)
    conductor.say(51, "Yes.")
    conductor.listen(51)
    conductor.demand(conductor.of(51)[0].stream, 10**9, 10**9)
    expected = {"turn": 2, "command": 1, "order": 2}
    wait_until(lambda: voice.telemetry.rejections == expected, what="the refusals")
    conductor.say(52, "No.")
    assert len(conductor.listen(52))


def test_a_dead_server_leaves_nobody_mute(
    ros_context: rclpy.Context, spinner: Spinner, conductor: Conductor
) -> None:
    pytest.importorskip("openai", reason="no openai client here")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        node = start(ros_context, spinner, backend="http", voice="a", model="b", base_url=url)
        spinner.add(node)
        conductor.meet()
        conductor.say(61, *SENTENCES)
        assert len(conductor.listen(61)) > 1000
        wait_until(lambda: node.telemetry.report()["failures"] == "2", what="the failures")
        assert node.heartbeat.condition.trouble and node.heartbeat.condition.detail
        end(node)


def test_a_slow_voice_has_said_what_the_persona_says_before_it_is_asked(
    ros_context: rclpy.Context, spinner: Spinner, conductor: Conductor,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    pytest.importorskip("onnxruntime", reason="the Python package onnxruntime is not installed")
    shutil.copy(Path(__file__).parent.parent / "data/kokoro/model.onnx", tmp_path)
    np.full((510, 256), 0.5, np.float32).tofile(tmp_path / "af_heart.bin")
    monkeypatch.setattr(backends, "_stored", lambda model: tmp_path)
    monkeypatch.setenv("AVATAR_CACHE", str(tmp_path / "cache"))
    node = start(
        ros_context, spinner, backend="kokoro", voice="af_heart", persona="guide",
        diagnostics_period_s=0.1,
    )  # fmt: skip
    spinner.add(node)
    conductor.meet()
    persona_out = conductor.node.create_publisher(Persona, "persona", LATCHED)
    persona_out.publish(Persona(persona="/etc/passwd"))
    wait_until(lambda: node.telemetry.rejections == {"persona": 1}, what="the refusal")
    persona_out.publish(Persona(persona="guide"))
    known = standing_sentences(load_persona("guide"))
    wait_until(
        lambda: len(list((tmp_path / "cache/speech").glob("*.wav"))) == len(set(known)),
        what="the persona's sentences",
    )
    wait_until(
        lambda: float(node.telemetry.report()["unprepared"]) == 0, what="that nothing is missing"
    )
    end(node)


@pytest.mark.parametrize(
    "parameters",
    [
        {"voice": "klingon-9"},
        {"backend": "piper", "voice": "/nowhere/voice.onnx"},
        {"backend": "http", "base_url": "nowhere"},
        {"backend": "http", "base_url": "http://127.0.0.1:1/v1", "api_key_env": "NO_SUCH_KEY"},
    ],
)
def test_a_voice_that_cannot_be_used_is_a_wrong_configuration(
    ros_context: rclpy.Context, spinner: Spinner, parameters: dict[str, str]
) -> None:
    node = start(ros_context, spinner, **parameters)
    assert node.exit_code == EXIT_MISCONFIGURED
    node.shut_down()
