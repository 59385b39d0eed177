"""MCAP files are read back by the format's own ROS 2 reader, with nothing of ours installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS here")
pytest.importorskip("mcap_ros2.decoder", reason="no mcap-ros2-support here")

from mcap.reader import make_reader
from mcap_ros2 import decoder
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage

from avatar_msgs.msg import AvatarState, TurnTimeline
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.recording.mcap_file import McapFile
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.wire.definition import definition_of
from avatar_nodes.wire.qos import BEST_EFFORT, LATCHED, offered_qos_text


def test_written_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    state = AvatarState(state=AvatarState.SPEAKING, epoch=7, block=3, prompt="a person waves")
    state.header.stamp.sec = 12
    image = CompressedImage(format="jpeg", data=b"\xff\xd8123")
    file = McapFile(path, definition_of)
    messages = [
        ("/avatar/state", "avatar_msgs/msg/AvatarState", state),
        ("/avatar/image_raw/compressed", "sensor_msgs/msg/CompressedImage", image),
        ("/avatar/state", "avatar_msgs/msg/AvatarState", state),
        ("/avatar/turn_timeline", "avatar_msgs/msg/TurnTimeline", TurnTimeline(turn=5)),
    ]
    for number, (topic, kind, message) in enumerate(messages):
        file.write(topic, kind, bytes(serialize_message(message)), time_ns=1000 + number)
    file.close()
    with path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[decoder.DecoderFactory()])
        assert reader.get_header().profile == "ros2"
        read = list(reader.iter_decoded_messages())
        summary = reader.get_summary()
    assert [channel.topic for _, channel, _, _ in read] == [topic for topic, _, _ in messages]
    assert [message.log_time for _, _, message, _ in read] == [1000, 1001, 1002, 1003]
    assert {schema.encoding for schema, _, _, _ in read} == {"ros2msg"}
    said, shown, _, turn = (message for _, _, _, message in read)
    assert (said.state, said.epoch, said.prompt, said.header.stamp.sec) == (
        AvatarState.SPEAKING, 7, "a person waves", 12,
    )  # fmt: skip
    assert bytes(shown.data) == b"\xff\xd8123"
    assert turn.turn == 5
    assert summary is not None and summary.statistics.message_count == 4


def test_a_reader_of_ros2_bags_takes_it(tmp_path: Path) -> None:
    """Another implementation of rosbag2, which knows nothing but what the file says."""
    highlevel = pytest.importorskip("rosbags.highlevel", reason="no rosbags here")
    path = tmp_path / "a.mcap"
    file = McapFile(path, definition_of)
    kinds: dict[str, Any] = {
        "/avatar/state": AvatarState(state=AvatarState.SPEAKING, prompt="a person waves"),
        "/avatar/image_raw/compressed": CompressedImage(format="jpeg", data=b"\xff\xd8123"),
    }
    offered = {"/avatar/state": LATCHED, "/avatar/image_raw/compressed": BEST_EFFORT}
    for number, (topic, message) in enumerate(kinds.items()):
        package, _, _ = type(message).__module__.partition(".")
        kind = f"{package}/msg/{type(message).__name__}"
        data = bytes(serialize_message(message))
        qos = offered_qos_text([offered[topic]])
        file.write(topic, kind, data, time_ns=1000 + number, offered_qos=qos)
    file.close()
    with highlevel.AnyReader([path]) as reader:
        read = {
            connection.topic: (time_ns, reader.deserialize(data, connection.msgtype))
            for connection, time_ns, data in reader.messages()
        }
        found = {
            connection.topic: [
                (qos.depth, qos.reliability.name, qos.durability.name, qos.deadline.sec)
                for qos in connection.ext.offered_qos_profiles
            ]
            for connection in reader.connections
        }
    assert found == {
        "/avatar/state": [(1, "RELIABLE", "TRANSIENT_LOCAL", 0)],
        "/avatar/image_raw/compressed": [(100, "BEST_EFFORT", "VOLATILE", 0)],
    }
    said_at, said = read["/avatar/state"]
    assert (said_at, said.state, said.prompt) == (1000, AvatarState.SPEAKING, "a person waves")
    assert read["/avatar/image_raw/compressed"][1].data.tobytes() == b"\xff\xd8123"


def test_definitions_hold_all_parts() -> None:
    text = definition_of("avatar_msgs/msg/BlockConditioning")
    parts = [line[5:] for line in text.splitlines() if line.startswith("MSG: ")]
    assert sorted(parts) == [
        "avatar_msgs/AudioChunk", "avatar_msgs/Tensor", "builtin_interfaces/Time",
        "std_msgs/Header",
    ]  # fmt: skip
    for kind in ("no_such_package/msg/A", "std_msgs/msg/NoSuchMessage"):
        with pytest.raises(RefusedError, match="is not known here"):
            definition_of(kind)


def test_no_place(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        McapFile(tmp_path / "none" / "a.mcap", definition_of)
