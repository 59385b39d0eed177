"""A listener dies while a visitor speaks: the one in its place hears him all the same."""

from __future__ import annotations

import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rclpy
import soundfile
from support.live_microphone import speak, start_microphone
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.visitor import PHRASES, RATE, say, silence, with_noise, words

from avatar_msgs.msg import AudioChunk, SpeechActivity, StageStatus, Utterance
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.qos import CAPTURED, CONTROL, SOUND, STAGES, public_qos
from avatar_nodes.wire.stamp import nanoseconds

QUESTION = "Can you show me the way to the station?"
KEYS = {"show", "way", "station"}


class Room:
    """What is said of the visitor."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("room")
        self.finals: list[Utterance] = []
        self.activity: list[SpeechActivity] = []
        self.alive: dict[str, bool] = {}
        subscribe = self.node.create_subscription
        subscribe(Utterance, "user/utterance", self._on_utterance, SOUND)
        subscribe(SpeechActivity, "user/speech_activity", self.activity.append, SOUND)
        subscribe(StageStatus, "stages", self._on_status, STAGES)

    def _on_utterance(self, msg: Utterance) -> None:
        if msg.is_final:
            self.finals.append(msg)

    def _on_status(self, msg: StageStatus) -> None:
        if msg.name == "listener":
            self.alive[msg.instance] = msg.ready

    def wait_for_finals(self, count: int) -> None:
        wait_until(lambda: len(self.finals) >= count, what=f"{count} final texts", seconds=280.0)

    def wait_for_turn(self, number: int) -> None:
        """The visitor has begun to speak so many times."""

        def begun() -> int:
            states = [False, *(msg.active for msg in self.activity)]
            return sum(now and not before for before, now in pairwise(states))

        wait_until(lambda: begun() >= number, what=f"turn {number}")


def start_listener(processes: ProcessGroup, folder: Path) -> object:
    parameters = folder / "listener.yaml"
    phrases = ", ".join(f'"{phrase}"' for phrase in PHRASES)
    parameters.write_text(
        "/**:\n  ros__parameters:\n    backlog_s: 120.0\n    silence_s: 1.5\n    eager: false\n"
        f"    phrases: [{phrases}]\n"
    )
    return processes.start(
        [sys.executable, "-m", "avatar_nodes.nodes.listener", "--ros-args", "--params-file",
         parameters],
        name="listener",
    )  # fmt: skip


def dialogue() -> tuple[np.ndarray, int]:
    """Two questions; and where the middle of the second one is."""
    first, second = say("Who are you?"), say(QUESTION)
    before = [silence(1.0), first, silence(3.0)]
    sound = np.concatenate([*before, second, silence(3.0)])
    return with_noise(sound), sum(map(len, before)) + len(second) // 2


def check(room: Room) -> None:
    """Each question was understood once, the second of them as a whole."""
    room.wait_for_finals(2)
    first, second = room.finals
    assert "you" in words(first.text)
    assert set(words(second.text)) >= KEYS, second.text
    assert second.turn > first.turn
    time.sleep(2.0)
    assert len(room.finals) == 2


def test_a_question_during_which_the_listener_dies_is_understood(
    processes: ProcessGroup, spinner: Spinner, tmp_path: Path
) -> None:
    """The microphone is a process as well, and plays a file."""
    room = Room(spinner)
    sound, _ = dialogue()
    soundfile.write(tmp_path / "visitor.wav", sound, RATE)
    listener = start_listener(processes, tmp_path)
    wait_until(lambda: True in room.alive.values(), what="a listener")
    processes.start(
        [sys.executable, "-m", "avatar_nodes.nodes.microphone", "--ros-args", "-p", "source:=file",
         "-p", f"file:={tmp_path / 'visitor.wav'}", "-p", "output:=user"],
        name="microphone",
    )  # fmt: skip
    room.wait_for_turn(2)
    listener.kill()  # type: ignore[attr-defined]
    assert len(room.finals) <= 1
    start_listener(processes, tmp_path)
    check(room)
    assert "told again" in processes.log("microphone")


def test_live_sound_is_told_again_too(
    processes: ProcessGroup, spinner: Spinner, ros_context: rclpy.Context, tmp_path: Path
) -> None:
    """The visitor has long ended when another listener hears."""
    room = Room(spinner)
    microphone = start_microphone(ros_context, spinner)
    out = room.node.create_publisher(AudioChunk, "voice", SOUND)
    listener = start_listener(processes, tmp_path)
    wait_until(
        lambda: True in room.alive.values() and out.get_subscription_count() > 0,
        what="a listener and a microphone",
    )
    sound, middle = dialogue()
    speak(out, sound[:middle])
    room.wait_for_finals(1)
    room.wait_for_turn(2)
    listener.kill()  # type: ignore[attr-defined]
    speak(out, sound[middle:], middle)
    start_listener(processes, tmp_path)
    check(room)
    assert microphone._sender.resent == 1
    microphone.heartbeat.stop()


@pytest.mark.parametrize("ended", [False, True])
def test_a_new_listener_is_told_only_what_the_avatar_did_not_speak_into(
    spinner: Spinner, ros_context: rclpy.Context, ended: bool
) -> None:
    """The listeners are the test's own."""
    node = spinner.create_node("listener")
    microphone = start_microphone(ros_context, spinner)
    out = node.create_publisher(AudioChunk, "voice", SOUND)
    avatar = node.create_publisher(AudioChunk, "audio", public_qos("RELIABLE"))
    stages = node.create_publisher(StageStatus, "stages", STAGES)
    activity = node.create_publisher(SpeechActivity, "user/speech_activity", CONTROL)
    chunks: list[AudioChunk] = []
    node.create_subscription(AudioChunk, "user/audio", chunks.append, CAPTURED)
    outputs = (out, avatar, stages, activity)
    wait_until(
        lambda: all(o.get_subscription_count() for o in outputs) and microphone._capturing
        and microphone._audio.get_subscription_count() == 1,
        what="matched topics",
    )  # fmt: skip
    stages.publish(StageStatus(name="listener", instance="one", ready=True))
    sound = np.arange(1, 1 + 6 * RATE, dtype=np.int64).astype(np.int16)
    speak(out, sound)
    wait_until(lambda: chunks and chunks[-1].first_sample + len(chunks[-1].data) == len(sound),
               what="the sound")  # fmt: skip
    if ended:
        out.publish(audio_to_msg(sound[:0], stream="v", sample_rate=RATE, first_sample=len(sound),
                                 end_of_stream=True))  # fmt: skip
        wait_until(lambda: not any(chunks[-1].data), what="silence after it")
    loud = np.full(RATE, 8000, np.int16)
    says = audio_to_msg(loud, stream="avatar", sample_rate=RATE, first_sample=0)
    says.header.stamp = next(c.header.stamp for c in chunks if c.first_sample >= 1.5 * RATE)
    quiet_ns = nanoseconds(says.header.stamp) + 2_000_000_000  # a second, and that of its echo
    stamped = [(nanoseconds(c.header.stamp), c.first_sample) for c in chunks]
    quiet = max(first for stamp, first in stamped if stamp <= quiet_ns)
    avatar.publish(says)
    wait_until(lambda: microphone._unheard._avatar_ns is not None, what="the avatar heard")
    stages.publish(StageStatus(name="listener", instance="two", ready=False))
    stages.publish(StageStatus(name="listener", instance="one", ready=True))  # from before
    seen = len(chunks)
    node.create_subscription(AudioChunk, "user/audio", lambda msg: None, CAPTURED)
    stages.publish(StageStatus(name="listener", instance="two", ready=True))
    wait_until(lambda: microphone._sender.resent == 1, what="the sound once more")

    def again() -> list[AudioChunk]:
        sounding = [chunk for chunk in chunks[seen:] if any(chunk.data)]
        return sounding if sounding and chunks[-1].first_sample + 640 >= len(sound) else []

    wait_until(lambda: bool(again()), what="all of it")
    told = np.concatenate([audio_from_msg(chunk) for chunk in again()])
    assert np.array_equal(told, sound[-len(told) :])
    assert 0 <= len(sound) - len(told) - quiet <= 640
    assert len({chunk.stream for chunk in chunks}) == 1
    stages.publish(StageStatus(name="listener", instance="two", ready=True))
    stages.publish(StageStatus(name="listener", instance="one", ready=True))
    time.sleep(1.0)
    assert microphone._sender.resent == 1
    microphone.heartbeat.stop()
