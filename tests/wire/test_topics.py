"""The declarations of topics, services and actions: nothing else names one, and they are kept."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

pytest.importorskip("rclpy", reason="no ROS here")

import rclpy
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible
from std_srvs.srv import Trigger

from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.profile import load_profile
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import Reading, Service, Topic
from avatar_nodes.wire.qos import BLOCKS, PUBLIC_NAMES, public_qos
from avatar_nodes.wire.topics import REQUESTS, TOPICS

SOURCE = Path(__file__).resolve().parent.parent.parent / "src" / "avatar_nodes"
DECLARED = (*TOPICS, *REQUESTS)
PATTERNS = SOURCE / "profile" / "archive.py"
"""Names topics in a default of the profile, which knows no ROS; see the test of its patterns."""
_MAKERS = {
    "create_client", "create_lifecycle_publisher", "create_publisher", "create_service",
    "create_subscription", "ActionClient", "ActionServer", "QoSProfile",
}  # fmt: skip
_BASE = SOURCE / "nodes" / "base" / "lifecycle_node.py"
"""Makes publishers and services of what is declared."""


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path.parent != SOURCE / "wire":
            yield path, ast.parse(path.read_text())


def _name_of(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _made(tree: ast.Module) -> Iterator[str]:
    return (name for node in ast.walk(tree) if isinstance(node, ast.Call)
            for name in [_name_of(node)] if name in _MAKERS)  # fmt: skip


def test_nothing_else_makes_a_publisher_or_chooses_a_qos() -> None:
    made = {path.relative_to(SOURCE).as_posix(): list(_made(tree)) for path, tree in _modules()
            if path != _BASE}  # fmt: skip
    assert {path: names for path, names in made.items() if names} == {}


def test_nothing_else_spells_a_topic_s_name() -> None:
    """Of those with a slash: others (`state`) are words."""
    names = {each.name for each in DECLARED if "/" in each.name}
    spelled = {
        f"{path.relative_to(SOURCE).as_posix()}:{node.lineno}: {node.value}"
        for path, tree in _modules()
        if path != PATTERNS
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in names
    }
    assert spelled == set()


def test_what_is_not_recorded_by_default_is_declared() -> None:
    names = [topic.name for topic in TOPICS if "latent" not in topic.name]
    for pattern in load_profile("tiny").archive.mcap_exclude:
        matches = [name for name in (*names, "blocks/latent_1") if fnmatchcase(name, pattern)]
        assert matches, f"{pattern} is no topic"


def test_each_is_declared_once_and_says_what_it_means() -> None:
    assert [
        name for name, count in Counter(each.name for each in DECLARED).items() if count > 1
    ] == []
    for each in DECLARED:
        assert each.meaning.endswith(".") and len(each.meaning) > 10, each.name


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_readers_get_what_is_published(topic: Topic) -> None:
    assert set(topic.reading) <= set(topic.readers)
    assert all(reading.reason for reading in topic.reading.values())
    offers = [topic.qos]
    if topic.qos_parameter:
        offers = [public_qos(name) for name in PUBLIC_NAMES if name != "SENSOR_DATA"]
    for offer in offers:
        for reader in topic.readers:
            assert _compatible(offer, topic.wanted_by(reader)), f"{reader} reads {topic.name}"


def _compatible(offered: QoSProfile, wanted: QoSProfile) -> bool:
    """A system's default may be anything: then ROS warns only."""
    return qos_check_compatible(offered, wanted)[0] != QoSCompatibility.ERROR


class Mute(AvatarNode):
    """A node that no declaration names, but its own."""

    KIND = "mute"


@pytest.fixture
def mute(ros_context: rclpy.Context) -> Iterator[Mute]:
    node = Mute(context=ros_context)
    yield node
    node.shut_down()


def test_a_node_has_nothing_that_does_not_name_it(mute: Mute) -> None:
    with pytest.raises(ValueError, match="blocks/epoch: publishers declared: conductor; not mute"):
        mute.publisher(topics.EPOCH)
    with pytest.raises(ValueError, match=r"blocks/credit: readers declared: .*; not mute"):
        mute.listen(topics.CREDIT, lambda _: None)
    with pytest.raises(ValueError, match="set_prompt: servers declared: conductor; not mute"):
        mute.serve(topics.SET_PROMPT, lambda request, response: response)
    with pytest.raises(ValueError, match=r"interrupt: clients declared: .*; not mute"):
        topics.INTERRUPT.client(mute, mute.KIND)
    with pytest.raises(ValueError, match="say: servers declared: conductor; not mute"):
        topics.SAY.serve(mute, mute.KIND, lambda handle: None)
    with pytest.raises(ValueError, match="perform: clients declared: anybody; not mute"):
        topics.PERFORM.client(mute, mute.KIND)


def test_a_node_s_parameters_choose_name_and_qos(mute: Mute) -> None:
    topic = Topic(
        name="here", type=Trigger.Request, qos=BLOCKS, publishers=("mute",), readers=("mute",),
        name_parameter="topic", qos_parameter="qos_it", meaning="Whatever it says.",
        reading={"mute": Reading(qos=BLOCKS, reason="it is asked otherwise")},
    )  # fmt: skip
    chosen = topic.with_parameters({"topic": "elsewhere", "qos_it": "SENSOR_DATA"})
    assert chosen.name == "elsewhere"
    assert chosen.offered_by("mute") == chosen.wanted_by("mute") == public_qos("SENSOR_DATA")
    assert topic.with_parameters({}).wanted_by("mute") == BLOCKS


@pytest.mark.parametrize(
    ("rules", "compressed", "info"),
    [
        ([], "/r/image_raw/compressed", "/r/camera_info"),
        (["image_raw:=eye/image"], "/r/eye/image/compressed", "/r/eye/camera_info"),
        (["image_raw:=/eye"], "/eye/compressed", "/camera_info"),
        (["image_raw:=eye/image", "camera_info:=eye/info"],
         "/r/eye/image/compressed", "/r/eye/info"),
        (["image_raw/compressed:=small"], "/r/small", "/r/camera_info"),
    ],
)  # fmt: skip
def test_a_picture_s_new_name_takes_its_siblings_along(
    ros_context: rclpy.Context, rules: list[str], compressed: str, info: str
) -> None:
    words = ["--ros-args", *(word for rule in rules for word in ("-r", rule))]
    node = rclpy.create_node("eye", namespace="/r", context=ros_context, cli_args=words)
    names = [
        node.resolve_topic_name(topic.led(node).name)
        for topic in (topics.IMAGE_COMPRESSED, topics.CAMERA_INFO)
    ]
    node.destroy_node()
    assert names == [compressed, info]


def test_every_node_may_say_how_it_is(mute: Mute) -> None:
    assert topics.STAGES.offered_by(mute.KIND) == topics.STAGES.qos
    assert topics.DIAGNOSTICS.offered_by(mute.KIND) == topics.DIAGNOSTICS.qos
    assert Service(
        name="ask", type=Trigger, servers=("mute",), clients=("mute",), meaning="A question."
    ).client(mute, "mute")
