"""A DDS implementation that is not ROS's receives image_raw and reads the right pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import SIDE, write_tiny_profile

from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile

pytest.importorskip("cyclonedds", reason="the foreign client is not installed")

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.types import int32, sequence, uint8, uint32
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@dataclass
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
class Image(IdlStruct, typename="sensor_msgs::msg::dds_::Image_"):
    header: Header
    height: uint32
    width: uint32
    encoding: str
    is_bigendian: uint8
    step: uint32
    data: sequence[uint8]


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast DDS hides from other makes when told to stay on this machine; the domain keeps to us."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")


def test_it_sees_what_a_ros_subscriber_sees(
    checkpoint: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
    ros_domain: int,
) -> None:
    profile = load_profile(str(write_tiny_profile(tmp_path, checkpoint)))
    graph = Graph.from_profile(
        profile, mode="puppet", audio=speech, placement="single", namespace="/seen"
    )
    participant = DomainParticipant(ros_domain)
    topic = Topic(participant, "rt/seen/image_raw", Image)
    qos = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(100))
    reader = DataReader(participant, topic, qos=qos)
    listener = Listener(spinner, graph.namespace)
    GraphUnderTest(graph, tmp_path, processes).start()
    seen: dict[int, Image] = {}

    def both() -> set[int]:
        """Stamps of the images that both have received; either may have begun later."""
        for image in reader.take(N=50):
            seen[image.header.stamp.sec * 1_000_000_000 + image.header.stamp.nanosec] = image
        return seen.keys() & set(listener.stamps)

    wait_until(lambda: len(both()) >= 30, what="30 images at both")
    frames = dict(zip(listener.stamps, listener.frames, strict=False))
    for stamp in both() & frames.keys():
        image = seen[stamp]
        assert (image.height, image.width, image.step) == (SIDE, SIDE, 3 * SIDE)
        assert (image.encoding, image.header.frame_id) == ("rgb8", "avatar_camera_optical_frame")
        pixels = np.asarray(image.data, np.uint8).reshape(SIDE, SIDE, 3)
        assert np.array_equal(pixels, frames[stamp])
