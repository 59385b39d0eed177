"""The listener by its topics: a real microphone's questions become turns and texts."""

from __future__ import annotations

import array
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rclpy
import soundfile
import soxr
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.parameter import Parameter
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.visitor import PHRASES, RATE, echo_of, say, silence, with_noise, words

from avatar_msgs.msg import AudioChunk, Intent, Persona, SpeechActivity, Utterance
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.nodes import listener
from avatar_nodes.nodes.listener import ListenerNode
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.qos import DIAGNOSTICS, LATCHED, SOUND, public_qos
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

SECOND = 1_000_000_000
PATIENT_S = 600.0


class Room:
    """Hears what the listener says, and can be its microphone and its avatar."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("room")
        self.utterances: list[Utterance] = []
        self.activity: list[SpeechActivity] = []
        self.reports: dict[str, str] = {}
        self.level, self.message = DiagnosticStatus.STALE, ""
        subscribe = self.node.create_subscription
        subscribe(Utterance, "user/utterance", self.utterances.append, SOUND)
        subscribe(SpeechActivity, "user/speech_activity", self.activity.append, SOUND)
        subscribe(DiagnosticArray, "/diagnostics", self._on_report, DIAGNOSTICS)
        self.microphone = self.node.create_publisher(AudioChunk, "user/audio", SOUND)
        self.avatar = self.node.create_publisher(AudioChunk, "audio", public_qos("RELIABLE"))

    def _on_report(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name.endswith("/listener"):
                self.reports = {value.key: value.value for value in status.values}
                self.level, self.message = status.level, status.message

    def wait_for_listener(self) -> None:
        for publisher in (self.microphone, self.avatar):
            wait_until(lambda p=publisher: p.get_subscription_count() > 0, what="the listener")

    def finals(self, count: int) -> list[Utterance]:
        wait_until(
            lambda: sum(msg.is_final for msg in self.utterances) >= count,
            what=f"{count} final texts",
            seconds=PATIENT_S,
        )
        return [msg for msg in self.utterances if msg.is_final]

    @property
    def changes(self) -> list[bool]:
        states = [False, *(msg.active for msg in self.activity)]
        return [now for before, now in pairwise(states) if now != before]

    def speak(
        self, sound: np.ndarray, *, start_ns: int, first: int = 0, rate: int = RATE,
        channels: int = 1, stream: str = "visitor", avatar: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """Publish `sound` [n], by its stamps in real time, in fact as fast as it is taken."""
        step = rate // 25
        for place in range(0, len(sound), step):
            stamp = stamp_of(start_ns + (first + place) * SECOND // rate)
            if avatar is not None:
                played = audio_to_msg(
                    avatar[place : place + step], stream="avatar", sample_rate=rate,
                    first_sample=place,
                )  # fmt: skip
                played.header.stamp = stamp
                self.avatar.publish(played)
            part = np.repeat(sound[place : place + step], channels)
            msg = audio_to_msg(part, stream=stream, sample_rate=rate, first_sample=first + place)
            msg.channels, msg.header.stamp = channels, stamp
            self.microphone.publish(msg)
            self._let_it_be_taken(stamp.sec, place)

    def _let_it_be_taken(self, sec: int, place: int) -> None:
        """Not more than a second ahead of what is reported, so that no queue overflows."""
        ahead = [msg for msg in self.activity if msg.header.stamp.sec >= sec - 1]
        if place > 2 * RATE and not ahead:
            wait_until(
                lambda: any(msg.header.stamp.sec >= sec - 1 for msg in self.activity),
                what="the listener to follow",
            )


@pytest.fixture
def room(spinner: Spinner) -> Room:
    return Room(spinner)


def start(context: rclpy.Context, spinner: Spinner, **parameters: object) -> ListenerNode:
    """A listener inside the test's process."""
    given = {"phrases": list(PHRASES), "diagnostics_period_s": 0.2, "backlog_s": 120.0}
    overrides = [Parameter(name, value=value) for name, value in {**given, **parameters}.items()]
    node = ListenerNode(context=context, parameter_overrides=overrides)
    node.autostart()
    spinner.add(node)
    return node


@pytest.fixture
def now_ns(room: Room) -> int:
    return room.node.get_clock().now().nanoseconds


@pytest.fixture
def listeners() -> Iterator[list[ListenerNode]]:
    """Those started by the test; their recognition's threads end with it."""
    started: list[ListenerNode] = []
    yield started
    for node in started:
        node.heartbeat.stop()
        node.teardown()


def test_a_microphone_s_questions_become_final_texts(
    processes: ProcessGroup, spinner: Spinner, room: Room, tmp_path: Path
) -> None:
    questions = (
        ("Where is the exit, please?", {"where", "exit"}),
        ("Tell me about the museum.", {"tell", "museum"}),
        ("Please wave your hand.", {"wave", "hand"}),
    )
    parts = [part for text, _ in questions for part in (silence(1.0), say(text))]
    soundfile.write(tmp_path / "visitor.wav", with_noise(np.concatenate(parts)), RATE)
    (tmp_path / "listener.yaml").write_text(
        "/**:\n  ros__parameters:\n    phrases: [" + ", ".join(f'"{p}"' for p in PHRASES) + "]\n"
    )
    run = [sys.executable, "-m"]
    processes.start(
        [*run, "avatar_nodes.nodes.listener", "--ros-args", "--params-file",
         tmp_path / "listener.yaml"],
        name="listener",
    )  # fmt: skip
    room.wait_for_listener()
    began = room.node.get_clock().now().nanoseconds
    processes.start(
        [*run, "avatar_nodes.nodes.microphone", "--ros-args", "-p", "source:=file", "-p",
         f"file:={tmp_path / 'visitor.wav'}", "-p", "output:=user"],
        name="microphone",
    )  # fmt: skip
    finals = room.finals(3)
    for msg, (_, keys) in zip(finals, questions, strict=True):
        assert keys <= set(words(msg.text)), msg.text
        assert 0.0 < msg.confidence <= 1.0 and msg.language == "en"
        assert began < nanoseconds(msg.start) < nanoseconds(msg.end)
        assert nanoseconds(msg.end) < nanoseconds(msg.header.stamp)
    turns = [msg.turn for msg in finals]
    begins = [nanoseconds(msg.start) // 1_000_000 for msg in finals]
    for turn, begin in zip(turns, begins, strict=True):
        assert 0 <= turn - begin < 60_000, (
            "the time of day, so that whoever writes does not hide it"
        )
    assert turns == sorted(turns)
    wait_until(lambda: len(room.changes) == 6, what="activity to end")
    assert room.changes == [True, False] * 3
    assert {msg.turn for msg in room.utterances} == set(turns)
    wait_until(lambda: room.reports.get("turns") == "3", what="a report")
    for name in ("vad_ms_mean", "recognition_ms_mean", "speech_end_to_text_ms_p50", "overloads"):
        assert name in room.reports


def test_stereo_at_another_rate_is_understood(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    listeners.append(start(ros_context, spinner))
    room.wait_for_listener()
    question = np.concatenate([silence(1.0), say("Where is the exit, please?"), silence(1.0)])
    wide = soxr.resample(with_noise(question).astype(np.float32), RATE, 48000)
    room.speak(np.rint(wide).astype(np.int16), start_ns=now_ns, rate=48000, channels=2)
    (final,) = room.finals(1)
    assert {"where", "exit"} <= set(words(final.text))
    assert abs(nanoseconds(final.start) - (now_ns + SECOND)) < 0.2 * SECOND
    began = next(msg for msg in room.activity if msg.active)
    assert abs(began.since_sample - 48000) < 0.2 * 48000
    assert began.stream == "visitor"


def test_another_persona_is_asked_other_things(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    persona = room.node.create_publisher(Persona, "persona", LATCHED)
    before, after = ["thank you"], ["where is the exit please"]
    listeners.append(start(ros_context, spinner, phrases=before, persona_phrases=True))
    room.wait_for_listener()
    persona.publish(Persona(persona="other", phrases=after))
    wait_until(lambda: listeners[0]._phrases == after, what="the persona")
    question = np.concatenate([silence(1.0), say("Where is the exit, please?"), silence(1.0)])
    room.speak(with_noise(question), start_ns=now_ns)
    (final,) = room.finals(1)
    assert final.text == after[0]


def test_the_avatar_s_echo_is_not_the_visitor(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    listeners.append(start(ros_context, spinner))
    room.wait_for_listener()
    avatar = np.concatenate(
        [silence(0.5), say("We open at nine and close at six, every day.", level=0.6)]
    )
    echo = with_noise(echo_of(avatar, delay_s=0.05, gain=0.4))
    room.speak(echo, start_ns=now_ns, avatar=avatar)
    question = np.concatenate([silence(1.0), say("Who are you?"), silence(1.0)])
    room.speak(with_noise(question), start_ns=now_ns, first=len(echo))
    (final,) = room.finals(1)
    assert nanoseconds(final.start) > now_ns + len(echo) * SECOND // RATE
    wait_until(lambda: len(room.changes) == 2, what="activity to end")
    assert room.changes == [True, False]
    assert any(msg.during_playback for msg in room.activity)
    wait_until(lambda: "echo_return_loss_db" in room.reports, what="a report of the echo")
    assert float(room.reports["echo_return_loss_db"]) > 6.0


def test_a_listener_started_after_the_clock_was_set_back_numbers_on(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    """Above the last turn that was answered, of which `intent` tells."""
    answered = now_ns // 1_000_000 + 5 * 3_600_000
    intent = room.node.create_publisher(Intent, "intent", LATCHED)
    intent.publish(Intent(turn=answered))
    node = start(ros_context, spinner, echo="none")
    listeners.append(node)
    room.wait_for_listener()
    wait_until(lambda: node._turns._newest == answered, what="the last turn")
    question = np.concatenate([silence(1.0), say("Who are you?"), silence(1.0)])
    room.speak(with_noise(question), start_ns=now_ns)
    assert room.finals(1)[0].turn == answered + 1


def test_malformed_chunks_are_counted_and_hearing_goes_on(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    node = start(ros_context, spinner)
    listeners.append(node)
    room.wait_for_listener()
    sound = array.array("h", [1, 2, 3])
    bad = {
        "rate": AudioChunk(sample_rate=0, channels=1, data=sound),
        "channels": AudioChunk(sample_rate=16000, channels=65, data=sound),
        "length": AudioChunk(sample_rate=16000, channels=2, data=sound),
        "index": AudioChunk(sample_rate=16000, channels=1, first_sample=2**64 - 1, data=sound),
    }
    for count, (reason, msg) in enumerate(bad.items(), start=1):
        room.microphone.publish(msg)
        wait_until(
            lambda n=count: sum(node.telemetry.rejections.values()) == n, what=f"{reason} counted"
        )
    room.avatar.publish(bad["length"])
    wait_until(lambda: node.telemetry.rejections.get("length") == 2, what="the avatar's counted")
    assert node.telemetry.rejections == {"rate": 1, "channels": 1, "length": 2, "index": 1}
    question = np.concatenate([silence(1.0), say("Who are you?"), silence(1.0)])
    room.speak(with_noise(question), start_ns=now_ns)
    assert "you" in room.finals(1)[0].text


def test_a_microphone_that_dies_while_somebody_speaks_leaves_no_open_turn(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, now_ns: int,
    listeners: list[ListenerNode],
) -> None:  # fmt: skip
    listeners.append(start(ros_context, spinner, echo="none"))
    room.wait_for_listener()
    cut = np.concatenate([silence(1.0), say("Tell me about the museum.")])
    room.speak(with_noise(cut), start_ns=now_ns)
    room.finals(1)
    wait_until(lambda: room.changes == [True, False], what="activity to end")


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [
        ({"echo": "hope"}, "parameter echo: expected one of aec, gate, none"),
        ({"silence_s": 0.0}, "parameter silence_s"),
        ({"phrases": 3}, "parameter phrases"),
        ({"vad_release": 0.9}, "parameters: expected a vad_release of at most vad_threshold"),
        ({"max_utterance_s": 1.0, "silence_s": 2.0}, "parameters: expected a max_utterance_s"),
    ],
)
def test_a_wrong_parameter_is_one_line(
    ros_context: rclpy.Context, parameters: dict[str, object], complaint: str
) -> None:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    with pytest.raises(ConfigurationError, match=complaint) as refused:
        ListenerNode(context=ros_context, parameter_overrides=overrides)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("parameters", "exit_code"),
    [
        ({"recogniser": "whisper"}, 78),
        ({"recogniser_model": "/no/such"}, 78),
    ],
)
def test_what_cannot_work_is_a_misconfiguration(
    ros_context: rclpy.Context, parameters: dict[str, object], exit_code: int
) -> None:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = ListenerNode(context=ros_context, parameter_overrides=overrides)
    node.autostart()
    assert node.exit_code == exit_code
    node.shut_down()


def test_without_the_echo_canceller_the_echo_is_gated_and_a_warning_says_why(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, listeners: list[ListenerNode],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, "livekit.rtc", None)
    node = start(ros_context, spinner, echo="aec")
    listeners.append(node)
    assert node.exit_code is None
    assert node._listening._gate is not None
    wait_until(lambda: "install the Python package livekit" in room.message, what="a warning")
    assert room.level == DiagnosticStatus.WARN
    assert node.heartbeat.condition.ready


class Deaf:
    """A recogniser without words; counts how often one was opened."""

    opened = 0
    interim_s = 0.0
    pause_s = 0.2

    def __init__(self) -> None:
        type(self).opened += 1

    def close(self) -> None:
        pass


@pytest.mark.parametrize("recogniser", ["whisper", "pocketsphinx"])
def test_another_persona_s_phrases_and_language_are_the_recogniser_s(
    ros_context: rclpy.Context, spinner: Spinner, room: Room, listeners: list[ListenerNode],
    monkeypatch: pytest.MonkeyPatch, recogniser: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(Deaf, "opened", 0)
    told: list[str] = []

    def open_deaf(kind: str, *, likely_language: str, **options: object) -> Deaf:
        told.append(likely_language)
        return Deaf()

    monkeypatch.setattr(listener, "open_recogniser", open_deaf)
    persona = room.node.create_publisher(Persona, "persona", LATCHED)
    node = start(ros_context, spinner, recogniser=recogniser, persona_phrases=True)
    listeners.append(node)
    assert Deaf.opened == 1
    persona.publish(Persona(persona="other", language="fr", phrases=["where is the exit"]))
    wait_until(lambda: node._phrases == ["where is the exit"], what="the persona")
    wait_until(lambda: node._listening.worker._open_other is None, what="the worker")
    node._listening.close()  # after what it was about to open
    assert (Deaf.opened, told) == (2, ["", "fr"])
    assert node._listening._known == {"where is the exit"}
