"""The microphone node, by its topics: what is demanded is sent, wherever it comes from."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import rclpy
from rclpy.parameter import Parameter
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import AudioChunk, AudioDemand
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.hearing.sound_intake import SoundIntake
from avatar_nodes.nodes.microphone import MicrophoneNode
from avatar_nodes.sound.audio_file import read_audio_file
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.hearing import chunk_from_msg
from avatar_nodes.wire.qos import CAPTURED, LATCHED, SOUND
from avatar_nodes.wire.stamp import nanoseconds


class Consumer:
    """Demands sound and collects it."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("consumer")
        self.chunks: list[AudioChunk] = []
        self.node.create_subscription(AudioChunk, "speech/audio", self.chunks.append, SOUND)
        self._demand = self.node.create_publisher(AudioDemand, "speech/demand", LATCHED)

    def demand(self, first: int, limit: int) -> None:
        self._demand.publish(AudioDemand(stream="mine", next_sample=first, limit_sample=limit))

    @property
    def samples(self) -> np.ndarray:
        heard = [audio_from_msg(chunk) for chunk in self.chunks]
        return np.concatenate(heard) if heard else np.zeros(0, np.int16)


def start(context: rclpy.Context, spinner: Spinner, **parameters: object) -> MicrophoneNode:
    overrides = [Parameter(name, value=value) for name, value in parameters.items()]
    node = MicrophoneNode(context=context, parameter_overrides=overrides)
    node.autostart()
    spinner.add(node)
    return node


def test_a_file_as_fast_as_demanded(
    ros_context: rclpy.Context, spinner: Spinner, speech: Path
) -> None:
    consumer = Consumer(spinner)
    node = start(ros_context, spinner, source="file", file=str(speech), pace="demand")
    whole = read_audio_file(speech)
    consumer.demand(0, 5000)
    wait_until(lambda: len(consumer.samples) >= 5000, what="the demanded samples")
    assert np.array_equal(consumer.samples, whole[:5000])
    consumer.demand(5000, 10**6)
    wait_until(lambda: len(consumer.samples) >= len(whole), what="the rest")
    assert np.array_equal(consumer.samples, whole)
    ends = [chunk.end_of_stream for chunk in consumer.chunks]
    assert ends == [False] * (len(ends) - 1) + [True]
    assert {chunk.stream for chunk in consumer.chunks} == {"mine"}
    places = [chunk.first_sample for chunk in consumer.chunks]
    assert places == list(range(0, len(whole), 640)) or np.diff(places).max() <= 640
    node.heartbeat.stop()


def test_another_program_s_sound(ros_context: rclpy.Context, spinner: Spinner) -> None:
    consumer = Consumer(spinner)
    node = start(ros_context, spinner, source="topic", topic="voice")
    consumer.demand(7000, 10**6)
    talker = consumer.node.create_publisher(AudioChunk, "voice", SOUND)
    wait_until(lambda: talker.get_subscription_count() > 0, what="the microphone's ear")
    wait_until(lambda: node._sender.next_sample == 7000, what="the demand")
    sound = np.arange(3000, dtype=np.int16)
    bad = AudioChunk(sample_rate=16000, channels=2, data=[1, 2, 3])
    talker.publish(bad)
    for first in range(0, 3000, 500):
        part = sound[first : first + 500]
        talker.publish(audio_to_msg(part, stream="v", sample_rate=16000, first_sample=first))
    wait_until(lambda: len(consumer.samples) >= 3000, what="the sound")
    assert np.array_equal(consumer.samples, sound)
    assert consumer.chunks[0].first_sample == 7000
    assert node.telemetry.rejections == {"length": 1}
    node.heartbeat.stop()


def test_a_file_as_captured_waits_for_a_listener_and_is_followed_by_silence(
    ros_context: rclpy.Context, spinner: Spinner, speech: Path
) -> None:
    node = start(ros_context, spinner, source="file", file=str(speech), output="user")
    wait_until(
        lambda: node.heartbeat.condition.detail == "waiting for a listener", what="a ready node"
    )
    whole = read_audio_file(speech)
    ear = spinner.create_node("ear")
    chunks: list[AudioChunk] = []
    arrived: list[int] = []

    def hear(msg: AudioChunk) -> None:
        arrived.append(ear.get_clock().now().nanoseconds)
        chunks.append(msg)

    ear.create_subscription(AudioChunk, "user/audio", hear, SOUND)
    wanted = len(whole) + 8000
    wait_until(lambda: sum(len(chunk.data) for chunk in chunks) >= wanted, what="the whole file")
    heard = chunks[:]
    samples = np.concatenate([audio_from_msg(chunk) for chunk in heard])
    assert np.array_equal(samples[: len(whole)], whole)
    assert not samples[len(whole) :].any()
    lengths = [len(chunk.data) for chunk in heard]
    assert [chunk.first_sample for chunk in heard] == [0, *np.cumsum(lengths)[:-1]]
    assert len({chunk.stream for chunk in heard}) == 1
    assert not any(chunk.end_of_stream for chunk in heard)
    stamps = [nanoseconds(chunk.header.stamp) for chunk in heard]
    ends = [
        stamp + length * 1_000_000_000 // 16000
        for stamp, length in zip(stamps, lengths, strict=True)
    ]
    assert all(end <= when for end, when in zip(ends, arrived, strict=False))
    node.heartbeat.stop()


def test_live_sound_as_captured_needs_no_demand(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    node = start(ros_context, spinner, source="topic", topic="voice", output="user")
    talker = spinner.create_node("talker")
    chunks: list[AudioChunk] = []
    talker.create_subscription(AudioChunk, "user/audio", chunks.append, SOUND)
    out = talker.create_publisher(AudioChunk, "voice", SOUND)
    wait_until(
        lambda: out.get_subscription_count() > 0 and node._audio.get_subscription_count() > 0,
        what="matched topics",
    )
    wait_until(lambda: node.heartbeat.condition.detail == "capturing", what="a capturing node")
    sound = np.arange(1, 3001, dtype=np.int16)
    out.publish(audio_to_msg(sound, stream="v", sample_rate=16000, first_sample=77))
    wait_until(lambda: sum(len(chunk.data) for chunk in chunks) >= 3000, what="the sound")
    assert np.array_equal(np.concatenate([audio_from_msg(chunk) for chunk in chunks]), sound)
    stamps = [nanoseconds(chunk.header.stamp) for chunk in chunks]
    assert stamps == sorted(stamps)
    node.heartbeat.stop()


def test_nothing_is_lost_of_who_speaks_after_another(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    """Silence goes on between the two, so that whoever listens must be told that it is over."""
    node = start(ros_context, spinner, source="topic", topic="voice", output="user")
    talker = spinner.create_node("talker")
    intake, heard, streams = SoundIntake(), [np.zeros(0, np.int16)], []
    refused: list[str] = []

    def hear(msg: AudioChunk) -> None:
        streams.append(msg.stream)
        try:
            piece = intake.push(chunk_from_msg(msg), now_ns=talker.get_clock().now().nanoseconds)
        except RefusedError as error:
            refused.append(error.reason)
            return
        heard.append(piece.samples if piece is not None else heard[0])

    talker.create_subscription(AudioChunk, "user/audio", hear, CAPTURED)
    out = talker.create_publisher(AudioChunk, "voice", SOUND)
    wait_until(
        lambda: out.get_subscription_count() > 0 and node._audio.get_subscription_count() > 0,
        what="matched topics",
    )
    wait_until(lambda: node.heartbeat.condition.detail == "capturing", what="a capturing node")
    sounds = np.arange(1, 3001, dtype=np.int16), np.arange(5001, 9001, dtype=np.int16)
    out.publish(audio_to_msg(sounds[0], stream="one", sample_rate=16000, first_sample=0,
                             end_of_stream=True))  # fmt: skip
    wait_until(lambda: sum(map(len, heard)) > 3000 + 4000, what="silence")
    out.publish(audio_to_msg(sounds[1], stream="two", sample_rate=16000, first_sample=0))
    wait_until(lambda: refused or heard[-1].max(initial=0) == 9000, what="the other one's sound")
    assert not refused
    said = np.concatenate(heard)
    assert np.array_equal(said[said > 0], np.concatenate(sounds))
    assert len(set(streams)) == 2
    node.heartbeat.stop()


def test_a_microphone_kept_waiting_loses_nothing_that_a_visitor_says(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    node = start(ros_context, spinner, source="topic", topic="voice", output="user")
    consumer = Consumer(spinner)
    consumer.node.create_subscription(AudioChunk, "user/audio", consumer.chunks.append, SOUND)
    out = consumer.node.create_publisher(AudioChunk, "voice", SOUND)
    wait_until(
        lambda: out.get_subscription_count() > 0 and node._audio.get_subscription_count() > 0,
        what="matched topics",
    )
    wait_until(lambda: node._sender._demanded, what="a demand")
    sound = np.arange(1, 1 + 50 * 640, dtype=np.int16)
    stalled, go_on = threading.Event(), threading.Event()

    def stall() -> None:
        if not stalled.is_set():
            stalled.set()
            go_on.wait(60.0)

    node.create_timer(0.01, stall)
    assert stalled.wait(60.0)
    for first in range(0, len(sound), 640):
        part = sound[first : first + 640]
        out.publish(audio_to_msg(part, stream="v", sample_rate=16000, first_sample=first))
    go_on.set()
    wait_until(lambda: len(consumer.samples) and consumer.samples[-1] == sound[-1], what="the end")
    assert np.array_equal(consumer.samples, sound)
    node.heartbeat.stop()
