"""Microphone and loudspeaker on a real PulseAudio server: heard, unplugged, plugged in again."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from support.process_group import ProcessGroup
from support.pulse_server import SINK, PulseServer
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import AudioChunk, TurnControl
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.qos import CONTROL, DIAGNOSTICS, SOUND, public_qos
from avatar_nodes.wire.stamp import stamp_of

RATE, FRAME = 16_000, 640


@pytest.fixture
def pulse() -> Iterator[PulseServer]:
    with PulseServer() as server:
        yield server


class Reports:
    """What a node says on /diagnostics."""

    def __init__(self, node: Node, name: str) -> None:
        self._name = f"/{name}"
        self.messages: list[str] = []
        self.values: dict[str, str] = {}
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take, DIAGNOSTICS)

    def _take(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            if status.name == self._name:
                self.messages.append(status.message)
                self.values = {pair.key: pair.value for pair in status.values}


def start(processes: ProcessGroup, pulse: PulseServer, kind: str, **values: object) -> None:
    values |= {"diagnostics_period_s": 0.2}
    words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
    command = [sys.executable, "-m", f"avatar_nodes.nodes.{kind}", "--ros-args", *words]
    processes.start(command, name=kind, env=pulse.environment)


def pitch(samples: np.ndarray) -> float:
    """The strongest frequency of the last half second [Hz]."""
    part = samples[-RATE // 2 :].astype(np.float64)
    return float(np.argmax(np.abs(np.fft.rfft(part * np.hanning(len(part))))) * 2)


def tone(frequency: float, seconds: float, rate: int = RATE) -> np.ndarray:
    wave = 9000 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)
    return wave.astype(np.int16)


def test_a_microphone_that_is_unplugged(
    spinner: Spinner, processes: ProcessGroup, pulse: PulseServer, tmp_path: Path
) -> None:
    node = spinner.create_node("ear")
    reports = Reports(node, "microphone")
    chunks: list[AudioChunk] = []
    node.create_subscription(AudioChunk, "user/audio", chunks.append, SOUND)
    start(processes, pulse, "microphone", source="device", device="pulse", output="user")

    def last_second() -> np.ndarray:
        return np.concatenate([audio_from_msg(chunk) for chunk in chunks[-25:]] or [np.zeros(0)])

    def hears(frequency: float) -> bool:
        heard = last_second()
        return len(heard) >= RATE // 2 and abs(pitch(heard) - frequency) <= 4

    def playing(frequency: float) -> subprocess.Popen[bytes]:
        file = tmp_path / f"{frequency}.wav"
        soundfile.write(file, tone(frequency, 60.0, 48000), 48000, subtype="PCM_16")
        return pulse.start("paplay", file)

    player = playing(440)
    wait_until(lambda: hears(440), what="the tone")
    pulse.unplug()
    player.wait()
    wait_until(lambda: any("is gone" in text for text in reports.messages), what="a report")
    came = len(chunks)
    wait_until(lambda: len(chunks) > came + 25, what="silence")
    assert not last_second().any()
    pulse.plug_in()
    wait_until(lambda: reports.values.get("reopened") == "1", what="the microphone again")
    player = playing(600)
    wait_until(lambda: hears(600), what="the other tone")
    player.terminate()
    player.wait()
    firsts = [chunk.first_sample for chunk in chunks]
    lengths = [len(chunk.data) for chunk in chunks]
    assert np.array_equal(np.diff(firsts), lengths[:-1])  # the stream has no gap
    assert len({chunk.stream for chunk in chunks}) == 1


class Avatar:
    """Publishes a sound in real time, as the presenter does, until it is told to stop."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._audio = node.create_publisher(AudioChunk, "audio", public_qos("RELIABLE"))
        self._control = node.create_publisher(TurnControl, "turn/control", CONTROL)
        self.loud = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._speak)
        self._thread.start()

    def cut(self) -> None:
        """Barge-in: the presenter is silent from here on."""
        self._control.publish(TurnControl(command=TurnControl.CANCEL, first_block=7))
        self.loud = False

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _speak(self) -> None:
        sound, number = tone(500, 0.04), 0
        begin = self.node.get_clock().now().nanoseconds
        while not self._stopping.is_set():
            due = begin + number * 40_000_000
            time.sleep(max(0.0, (due - self.node.get_clock().now().nanoseconds) / 1e9))
            samples = sound if self.loud else np.zeros(FRAME, np.int16)
            chunk = audio_to_msg(samples, stream="s", sample_rate=RATE, first_sample=number * FRAME)
            chunk.header.stamp = stamp_of(due)
            self._audio.publish(chunk)
            number += 1


class Listener:
    """Hears what the sound card plays."""

    def __init__(self, pulse: PulseServer) -> None:
        words = ["--raw", f"--device={SINK}.monitor", f"--rate={RATE}", "--channels=1"]
        self._process = pulse.start(
            "parec", *words, "--format=s16le", "--latency-msec=20", stdout=subprocess.PIPE
        )
        self._heard = bytearray()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    @property
    def samples(self) -> np.ndarray:
        heard = bytes(self._heard)
        return np.frombuffer(heard[: len(heard) // 2 * 2], np.int16)

    def hears(self, frequency: float) -> bool:
        heard = self.samples
        if len(heard) < RATE // 2 or np.abs(heard[-RATE // 2 :]).mean() < 500:
            return False
        return abs(pitch(heard) - frequency) <= 4

    def is_silent(self) -> bool:
        heard = self.samples
        return len(heard) > RATE // 2 and not heard[-RATE // 2 :].any()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while part := self._process.stdout.read1(4096):  # type: ignore[attr-defined]
            self._heard += part


def test_a_loudspeaker_that_is_cut_short_and_unplugged(
    spinner: Spinner, processes: ProcessGroup, pulse: PulseServer
) -> None:
    node = spinner.create_node("avatar")
    reports = Reports(node, "loudspeaker")
    start(processes, pulse, "loudspeaker", device="pulse", delay_s=0.15)
    avatar, listener = Avatar(node), Listener(pulse)
    try:
        wait_until(lambda: listener.hears(500), what="the avatar")
        avatar.cut()
        wait_until(listener.is_silent, what="silence")
        wait_until(lambda: reports.values.get("cut") == "1", what="the cut")
        listener.stop()
        pulse.unplug()
        wait_until(lambda: any("is gone" in text for text in reports.messages), what="a report")
        pulse.plug_in()
        avatar.loud = True
        listener = Listener(pulse)
        wait_until(lambda: listener.hears(500), what="the avatar again")
        assert int(reports.values["reopened"]) >= 1
        assert float(reports.values["waiting_ms"]) < 500
    finally:
        avatar.stop()
        listener.stop()


def test_check_lists_devices(pulse: PulseServer, processes: ProcessGroup) -> None:
    command = [sys.executable, "-m", "avatar_nodes.cli", "check"]
    processes.start(command, name="check", env=pulse.environment).wait(120.0)
    said = processes.log("check")
    assert "inputs: 0 pulse, 1 default; outputs: 0 pulse, 1 default" in said
    assert f"at {pulse.environment['PULSE_SERVER'].removeprefix('unix:')}" in said


def test_a_device_that_is_not_there(pulse: PulseServer, processes: ProcessGroup) -> None:
    for kind, values in (("microphone", {"source": "device"}), ("loudspeaker", {})):
        start(processes, pulse, kind, device="nowhere", **values)
        wait_until(lambda kind=kind: "is named 'nowhere'" in processes.log(kind), what="a reason")
        direction = "input" if kind == "microphone" else "output"
        assert f"no sound {direction} is named 'nowhere'; there is: pulse, default" in (
            processes.log(kind)
        )
