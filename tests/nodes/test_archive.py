"""The archive node, by its service, its topics and its files, however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
import yaml
from builtin_interfaces.msg import Time
from click.testing import CliRunner, Result
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from support.marked_pictures import scene
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until

from avatar_msgs.msg import AudioChunk, AvatarState, RecordingState
from avatar_nodes.cli import main
from avatar_nodes.marking.file_check import check_file
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.image import image_to_msg
from avatar_nodes.wire.qos import LATCHED, public_qos
from avatar_nodes.wire.stamp import stamp_of

FRAME_NS = 40_000_000


class Presenter:
    """Publishes frames and sound in step, as the presenter does, and calls the service."""

    def __init__(self, spinner: Spinner) -> None:
        self.node = spinner.create_node("presenter", namespace="/avatar")
        qos = public_qos("RELIABLE")
        self._image = self.node.create_publisher(Image, "image_raw", qos)
        self._audio = self.node.create_publisher(AudioChunk, "audio", qos)
        self._avatar = self.node.create_publisher(AvatarState, "state", LATCHED)
        self._avatar.publish(AvatarState(state=AvatarState.SPEAKING, epoch=4))
        self.states: list[RecordingState] = []
        self.node.create_subscription(RecordingState, "recording", self.states.append, LATCHED)
        self._client = self.node.create_client(SetBool, "recording/set")
        self._frames = scene(25)
        self.shown = 0

    def wait(self) -> None:
        """Until an archive is there."""
        wait_until(self._client.service_is_ready, what="its service")

    @property
    def is_listened_to(self) -> bool:
        return self._image.get_subscription_count() > 0

    def show(self, count: int) -> None:
        """At the pace of a stream: whoever listens best effort misses nothing then."""
        begin = 1_700_000_000 * 10**9
        for _ in range(count):
            stamp: Time = stamp_of(begin + self.shown * FRAME_NS)
            image = image_to_msg(self._frames[self.shown % 25])
            sound = audio_to_msg(
                np.full(640, 500, np.int16), stream="s", sample_rate=16000,
                first_sample=self.shown * 640,
            )  # fmt: skip
            image.header.stamp = sound.header.stamp = stamp
            self._image.publish(image)
            self._audio.publish(sound)
            self.shown += 1
            time.sleep(0.01)

    def set(self, recording: bool) -> SetBool.Response:
        """Asks each 20 s: the answer to a client that is not matched yet reaches nobody."""
        asked: list[Future[SetBool.Response]] = []

        def answered() -> bool:
            if time.monotonic() > begun + 20.0 * len(asked):
                asked.append(self._client.call_async(SetBool.Request(data=recording)))
            return any(future.done() for future in asked)

        begun = time.monotonic()
        wait_until(answered, what="the answer")
        return next(future.result() for future in asked if future.done())

    def show_until(self, seconds: float) -> RecordingState:
        """Until so much is recorded: topics may be matched later than one can see from here."""
        deadline = time.monotonic() + 120.0
        while not self.states or self.states[-1].seconds < seconds:
            assert time.monotonic() < deadline, f"{seconds} s are not recorded: {self.states}"
            self.show(10)
        return self.states[-1]


def start(
    processes: ProcessGroup, folder: Path, *, limit_kib: int = 0, **parameters: object
) -> subprocess.Popen[bytes]:
    values = {
        "folder": str(folder), "free_megabytes": 0, "width": 256, "height": 256, "label": False,
        "mcap_exclude": "[image_raw]", **parameters,
    }  # fmt: skip
    texts = {n: str(v).lower() if isinstance(v, bool) else v for n, v in values.items()}
    words = [word for name, text in texts.items() for word in ("-p", f"{name}:={text}")]
    command = [sys.executable, "-m", "avatar_nodes.nodes.archive", "--ros-args"]
    command += ["-r", "__ns:=/avatar", *words]
    if limit_kib:
        command = ["bash", "-c", f'ulimit -f {limit_kib}; exec "$@"', "bash", *command]
    return processes.start(command, name="archive")


def avatar(*words: str) -> Result:
    return CliRunner().invoke(main, ["record", *words])


def lengths(path: Path) -> tuple[int, int]:
    """Frames and samples of a file."""
    with av.open(str(path)) as file:
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(path)) as file:
        return frames, sum(frame.samples for frame in file.decode(audio=0))


def test_started_and_stopped_from_the_command_line(
    spinner: Spinner, processes: ProcessGroup, tmp_path: Path
) -> None:
    presenter = Presenter(spinner)
    start(processes, tmp_path / "films")
    presenter.wait()
    presenter.show(5)
    assert not presenter.is_listened_to, "nothing is taken that nobody wants"
    began = avatar("start")
    assert began.exit_code == 0, began.output
    assert began.output.startswith(f"recording {tmp_path}/films/avatar_20")
    told = presenter.show_until(1.8)
    status = avatar("status")
    assert "recording\n" in status.output
    ended = avatar("stop")
    file = Path(ended.output.strip())
    assert file.parent == tmp_path / "films"
    frames, samples = lengths(file)
    assert frames > told.seconds * 25 - 0.5
    assert samples == pytest.approx(frames * 640, abs=3000)
    marks = check_file(file)
    assert (marks.watermark.verdict, marks.source_type is not None) == ("marked", True)
    wait_until(lambda: not presenter.states[-1].active, what="the end")
    assert presenter.states[-1].file == str(file)
    assert presenter.states[-1].bytes == file.stat().st_size
    assert avatar("stop").output == "nothing was being recorded\n"
    wait_until(lambda: not presenter.is_listened_to, what="its ears closed")


def test_interrupted_and_killed(spinner: Spinner, processes: ProcessGroup, tmp_path: Path) -> None:
    presenter = Presenter(spinner)
    child = start(processes, tmp_path, record=True)
    for number in (signal.SIGINT, signal.SIGKILL):
        presenter.wait()
        wait_until(lambda: bool(presenter.states) and presenter.states[-1].active, what="a start")
        file = Path(presenter.states[-1].file)
        told = presenter.show_until(2.0)
        child.send_signal(number)
        child.wait(30.0)
        frames, samples = lengths(file)
        if number == signal.SIGINT:
            assert child.returncode == 0
            assert frames > told.seconds * 25 - 0.5
            assert b"Iptc4xmpExt" in file.read_bytes()
            presenter.states.clear()
            child = start(processes, tmp_path, record=True)
        else:
            assert frames >= 25
        assert samples / 16000 == pytest.approx(frames / 25, abs=0.2)
    assert len(list(tmp_path.glob("*.mp4"))) == 2


def test_what_is_shown_between_two_recordings_is_not_lost(
    spinner: Spinner, processes: ProcessGroup, tmp_path: Path
) -> None:
    presenter = Presenter(spinner)
    start(processes, tmp_path)
    presenter.wait()
    assert presenter.set(True).success
    first = presenter.show_until(0.5).file
    assert presenter.set(False).success
    presenter.shown += 15_000  # ten minutes
    assert presenter.set(True).success
    wait_until(
        lambda: presenter.states[-1].active and presenter.states[-1].file != first,
        what="another start",
    )
    told = presenter.show_until(0.5)
    assert not re.match(r"\d{4,} frames lost", told.problem)


def test_a_full_disk(spinner: Spinner, processes: ProcessGroup, tmp_path: Path) -> None:
    presenter = Presenter(spinner)
    start(processes, tmp_path, limit_kib=200, crf=0)
    presenter.wait()
    assert presenter.set(True).success
    wait_until(lambda: bool(presenter.states) and presenter.states[-1].active, what="a start")
    deadline = time.monotonic() + 120.0
    while presenter.states[-1].active:
        assert time.monotonic() < deadline, "the space does not end"
        presenter.show(10)
    said = presenter.states[-1]
    assert "File too large" in said.problem
    assert Path(said.file).exists()
    again = presenter.set(True)
    assert again.success, again.message
    wait_until(lambda: presenter.states[-1].active, what="another start")
    assert presenter.states[-1].problem == ""
    assert presenter.states[-1].file != said.file


def test_too_little_space_is_said_at_once(
    spinner: Spinner, processes: ProcessGroup, tmp_path: Path
) -> None:
    presenter = Presenter(spinner)
    start(processes, tmp_path, free_megabytes=1_000_000)
    presenter.wait()
    answer = presenter.set(True)
    assert (answer.success, "MB are wanted" in answer.message) == (False, True)
    failed = avatar("start")
    assert (failed.exit_code, "MB are wanted" in failed.output) == (1, True)


def test_a_disk_that_is_away_is_said_and_survived(
    spinner: Spinner, processes: ProcessGroup, tmp_path: Path
) -> None:
    presenter = Presenter(spinner)
    child = start(processes, tmp_path / "disk")
    presenter.wait()
    (tmp_path / "disk").rename(tmp_path / "away")
    answer = presenter.set(True)
    assert (answer.success, "bring its disk back" in answer.message) == (False, True)
    (tmp_path / "away").rename(tmp_path / "disk")
    assert presenter.set(True).success
    assert child.poll() is None


def test_messages_beside_the_video(
    spinner: Spinner, processes: ProcessGroup, tmp_path: Path
) -> None:
    reader = pytest.importorskip("mcap.reader")
    decoder = pytest.importorskip("mcap_ros2.decoder", reason="no mcap-ros2-support here")
    presenter = Presenter(spinner)
    start(processes, tmp_path, mcap=True, record=True, file_minutes=0.02)
    presenter.wait()
    count = presenter.node.count_subscribers
    wait_until(lambda: count("/avatar/state") and count("/avatar/audio") > 1, what="the taps")
    presenter.show_until(0.1)
    presenter.show(100)
    assert presenter.set(False).success
    files = sorted(tmp_path.glob("*.mcap"))
    assert [path.stem for path in files] == [path.stem for path in sorted(tmp_path.glob("*.mp4"))]
    assert len(files) >= 3
    for path in files:
        with path.open("rb") as stream:
            read = reader.make_reader(stream, decoder_factories=[decoder.DecoderFactory()])
            decoded = list(read.iter_decoded_messages())
        messages = [(channel.topic, msg) for _, channel, _, msg in decoded]
        durability = {
            channel.topic: [qos["durability"] for qos in yaml.safe_load(text)]
            for _, channel, _, _ in decoded
            if (text := channel.metadata["offered_qos_profiles"])
        }
        assert (
            durability["/avatar/state"] == durability["/avatar/recording"] == [LATCHED.durability]
        )
        assert durability["/avatar/audio"] == durability["/avatar/image_raw/compressed"]
        assert durability["/avatar/audio"] == [public_qos("RELIABLE").durability]
        ours = ("/avatar/image_raw/compressed", "/avatar/recording", "/avatar/stages")
        assert "" not in {msg.header.frame_id for topic, msg in messages if topic in ours}
        written = {topic for topic, _ in messages}
        assert {"/avatar/audio", "/avatar/image_raw/compressed", "/avatar/state"} <= written
        assert "/avatar/image_raw" not in written
        assert {m.epoch for topic, m in messages if topic == "/avatar/state"} == {4}
        pictures = [bytes(m.data) for t, m in messages if t == "/avatar/image_raw/compressed"]
        picture = tmp_path / "picture.jpg"
        picture.write_bytes(pictures[0])
        assert check_file(picture).watermark.verdict == "marked"


def test_nobody_there(ros_domain: int) -> None:
    from avatar_nodes.client.service_request import ServiceRequest, ServiceRequestError

    with ServiceRequest("/avatar", timeout_s=0.5) as request:
        with pytest.raises(ServiceRequestError, match="nobody offers /avatar/recording/set"):
            request.call(topics.SET_RECORDING, SetBool.Request())
        with pytest.raises(ServiceRequestError, match="nobody publishes /avatar/recording"):
            request.latched(topics.RECORDING)
