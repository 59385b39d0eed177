"""Who comes late sees the present picture, not one of seconds ago, whatever QoS is chosen."""

from __future__ import annotations

import pytest
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from support.spinner import Spinner, wait_until

from avatar_nodes.wire.qos import PUBLIC_NAMES, public_qos

LATCHED_READER = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""As rosbag2 subscribes where publishers offer to keep what they have sent."""


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_no_reader_is_given_pictures_of_before_it_came(spinner: Spinner, name: str) -> None:
    node = spinner.create_node("presenter")
    publisher = node.create_publisher(Image, "image_raw", public_qos(name))
    present: list[int] = []
    node.create_subscription(
        Image, "image_raw", lambda msg: present.append(msg.width), public_qos("SENSOR_DATA")
    )
    wait_until(lambda: publisher.get_subscription_count() == 1, what="a reader in time")
    for width in range(1, 51):
        publisher.publish(Image(width=width))
    wait_until(lambda: present[-1:] == [50], what="the last picture")
    seen: list[int] = []
    refused: list[object] = []
    node.create_subscription(
        Image, "image_raw", lambda msg: seen.append(msg.width), LATCHED_READER,
        event_callbacks=SubscriptionEventCallbacks(incompatible_qos=refused.append),
    )  # fmt: skip
    late: list[int] = []
    node.create_subscription(
        Image, "image_raw", lambda msg: late.append(msg.width), public_qos("SENSOR_DATA")
    )
    for width in range(1000, 10_000):
        publisher.publish(Image(width=width))
        if late:
            break
        wait_until(lambda: present[-1] >= width, what="the next picture")  # noqa: B023
    wait_until(lambda: bool(seen or refused), what="pictures, or that there are none to be had")
    assert [width for width in seen + late if width < 1000] == []
