"""The policy of SROS2: what is shipped is what is declared; where it can be enforced, it holds."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import rclpy

from avatar_nodes.graph.security_policy import (
    CLIENT,
    PUBLISH,
    REPLY,
    SUBSCRIBE,
    of_ros,
    rights_of,
    security_policy,
    whole_avatar,
)
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.profile import NODE_KINDS
from avatar_nodes.profile.resources import share_path

PUBLISHES = (
    "import rclpy, time; from std_srvs.srv import Trigger; rclpy.init()\n"
    "from avatar_msgs.msg import AvatarState\n"
    "node = rclpy.create_node('conductor', namespace='/avatar')\n"
    "out = node.create_publisher(AvatarState, 'state', 1)\n"
    "while True: out.publish(AvatarState()); time.sleep(0.1)"
)
READS = (
    "import rclpy, time; rclpy.init(); heard = []\n"
    "from avatar_msgs.msg import AvatarState\n"
    "node = rclpy.create_node('client', namespace='/avatar')\n"
    "node.create_subscription(AvatarState, 'state', heard.append, 1)\n"
    "until = time.monotonic() + 10\n"
    "while not heard and time.monotonic() < until: rclpy.spin_once(node, timeout_sec=0.2)\n"
    "print(len(heard) > 0)"
)


def test_the_shipped_policy_is_current() -> None:
    text = share_path("config", "sros2", "avatar.policy.xml").read_text(encoding="utf-8")
    assert text == security_policy(whole_avatar()), "run: avatar graph --policy"


def test_it_has_every_kind_of_node_and_two_enclaves() -> None:
    root = ET.fromstring(security_policy(whole_avatar("/hall/avatar")))
    enclaves = {each.get("path"): each for each in root.iterfind("enclaves/enclave")}
    assert set(enclaves) == {"/hall/avatar", "/hall/avatar_client"}
    nodes = {each.get("node", "") for each in enclaves["/hall/avatar"].iterfind("profiles/profile")}
    assert set(NODE_KINDS) - nodes == {"denoiser"} and {"denoiser_1", CLIENT} <= nodes
    assert all(name.text and name.text.startswith("/") for name in root.iter("topic"))


def test_a_client_sends_nothing_that_moves_the_picture() -> None:
    (converses, *_) = whole_avatar()
    client = rights_of(converses)[CLIENT]
    sent = {name for right, name in client if right == PUBLISH}
    of_ros = {"/rosout", "/parameter_events"}
    assert sent == of_ros | {"/avatar/audio_in", "/avatar/user/utterance"}
    assert {(SUBSCRIBE, "/avatar/image_raw"), (SUBSCRIBE, "/avatar/state")} <= client


class Mute(AvatarNode):
    """A node that has nothing but what every node has."""

    KIND = "mute"


def test_what_ros_adds_to_every_node_is_allowed(ros_context: rclpy.Context) -> None:
    """The whole is compared with a running graph in tests/nodes/test_topics_of_the_graph.py."""
    node = Mute(context=ros_context, namespace="/avatar")
    node.autostart()
    where = "mute", "/avatar"
    try:
        done = {
            (right, name)
            for right, names_and_types in (
                (PUBLISH, node.get_publisher_names_and_types_by_node(*where)),
                (SUBSCRIBE, node.get_subscriber_names_and_types_by_node(*where)),
                (REPLY, node.get_service_names_and_types_by_node(*where)),
            )
            for name, _ in names_and_types
        }
    finally:
        node.shut_down()
    of_ours = {(PUBLISH, "/avatar/stages"), (PUBLISH, "/diagnostics")}
    assert of_ours < done
    assert done - of_ours <= set(of_ros("/avatar", "mute", managed=True))


@pytest.mark.skipif(
    importlib.util.find_spec("sros2") is None,
    reason="no sros2, and PyPI's Fast DDS is built without security: it takes a ROS 2 distribution",
)
def test_a_stranger_hears_nothing(tmp_path: Path) -> None:
    policy = share_path("config", "sros2", "avatar.policy.xml")
    make = ["ros2", "security", "generate_artifacts", "-k", tmp_path, "-p", policy]
    subprocess.run(make, check=True)
    secure = os.environ | {
        "ROS_SECURITY_KEYSTORE": str(tmp_path),
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
    }
    own = secure | {"ROS_SECURITY_ENCLAVE_OVERRIDE": "/avatar"}
    can = subprocess.run(
        [sys.executable, "-c", "import rclpy; rclpy.init(); rclpy.create_node('conductor')"],
        env=own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if can.returncode:
        pytest.skip(f"this middleware enforces nothing: {can.stderr.splitlines()[-1:]}")
    with subprocess.Popen([sys.executable, "-c", PUBLISHES], env=own) as speaks:
        try:
            client = secure | {"ROS_SECURITY_ENCLAVE_OVERRIDE": "/avatar_client"}
            assert _reads(client) == "True"
            assert _reads(dict(os.environ)) == "False"
        finally:
            speaks.kill()


def _reads(env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", READS], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
