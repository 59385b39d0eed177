"""What ROS reports of a whole graph is what is declared: publishers, readers, types, QoS, services,
actions; and nothing is declared that no node has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.action import (
    get_action_client_names_and_types_by_node,
    get_action_server_names_and_types_by_node,
)
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.topic_endpoint_info import TopicEndpointInfo
from support.graph_under_test import GraphUnderTest
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.security_policy import (
    CALL,
    EXECUTE,
    OF_EVERY_NODE,
    PUBLISH,
    REPLY,
    REQUEST,
    SUBSCRIBE,
    rights_of,
)
from avatar_nodes.graph.wiring import requests_of, wires_of
from avatar_nodes.nodes import loudspeaker
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.declaration import EVERY_NODE, Declaration
from avatar_nodes.wire.qos import TAPPED
from avatar_nodes.wire.topics import ACTIONS, LATENT_IN, LATENT_OUT, REQUESTS, SERVICES, TOPICS

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline, recorder],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, memory, presenter], web: [archive, kiosk]"
)
ELSEWHERE = {
    ("blocks/frames", "reads", "memory"),  # with the features of a SigLIP 2 model
    ("speech/audio", "publishes", "microphone"),  # in modes puppet and render
    ("speech/demand", "reads", "microphone"),
    ("persona", "reads", "voice"),  # one that makes its sentences before they are wanted
}
"""Declared, and not of this graph."""
SENT_WITHOUT_A_VISITOR = {
    "blocks/conditioning", "blocks/frames", "image_raw",
    "image_raw/compressed", "camera_info", "audio", "recording", "blocks/credit", "stages",
    "/diagnostics",
}  # fmt: skip
OF_ROS = ("/parameter_events", "/transition_event")
End = tuple[str, str, str, str, str]
"""Topic, what the node does with it, node, type, QoS."""


class NoDevice:
    """A sound device that plays nothing."""

    problem, reopened = "", 0

    def __init__(self, *arguments: object, **options: object) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def graph(remembering: Path, tmp_path: Path) -> Graph:
    """All kinds of nodes."""
    profile = load_profile(write_tiny_profile(tmp_path, remembering, processes=PROCESSES))
    profile = with_values(
        profile,
        {
            "memory": {"enabled": True},
            "kiosk": {"enabled": True, "port": 0, "label": False},
            "archive": {"enabled": True, "record": True, "label": False, "free_megabytes": 0,
                        "folder": str(tmp_path / "recordings")},
            "loudspeaker": {"enabled": True},
        },
    )  # fmt: skip
    return Graph.from_profile(profile, mode="converse", out=tmp_path / "out.mp4")


@pytest.fixture
def node(
    graph: Graph, tmp_path: Path, processes: ProcessGroup, spinner: Spinner,
    ros_context: rclpy.Context, monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Node]:  # fmt: skip
    """A node that looks on while the graph runs; the loudspeaker, which has no device, here."""
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start([process.name for process in graph.processes if process.name != "loudspeaker"])
    monkeypatch.setattr(loudspeaker, "DeviceSink", NoDevice)
    speaker = loudspeaker.LoudspeakerNode(
        context=ros_context,
        namespace=graph.namespace,
        parameter_overrides=[Parameter("autostart", value=True)],
    )
    speaker.autostart()
    spinner.add(speaker)
    yield spinner.create_node("onlooker", namespace=graph.namespace)
    speaker.heartbeat.stop()
    print(running.logs())


def test_ros_reports_what_is_declared(graph: Graph, node: Node) -> None:
    declared = ends_declared(graph)
    _wait_for(lambda: ends_reported(graph, node), declared)
    _wait_for(lambda: requests_reported(graph, node), requests_declared(graph))
    kinds = {each.name: each.kind for each in graph.nodes}
    here = {(name, does, kinds[who]) for name, does, who, *_ in declared}
    here |= {(name, does, kinds[who]) for name, does, who in requests_declared(graph)}
    by_server = {end for end in ends_of_kinds() if end[2] == "realtime"}  # see test_realtime.py
    assert ends_of_kinds() - here - by_server == ELSEWHERE
    _the_policy_allows_all_of_it(graph, node)
    _every_message_names_its_frame(node)


def _the_policy_allows_all_of_it(graph: Graph, node: Node) -> None:
    """Of ROS's own topics and services, too."""
    allowed = rights_of(graph)
    for each in graph.nodes:
        where = (each.name, graph.namespace)
        done = {
            (right, name)
            for right, names_and_types in (
                (PUBLISH, node.get_publisher_names_and_types_by_node(*where)),
                (SUBSCRIBE, node.get_subscriber_names_and_types_by_node(*where)),
                (REPLY, node.get_service_names_and_types_by_node(*where)),
                (REQUEST, node.get_client_names_and_types_by_node(*where)),
                (EXECUTE, get_action_server_names_and_types_by_node(node, *where)),
                (CALL, get_action_client_names_and_types_by_node(node, *where)),
            )
            for name, _ in names_and_types
            if "/_action/" not in name
        }
        assert done - allowed[each.name] == set(), each.name
        assert done, each.name


def _every_message_names_its_frame(node: Node) -> None:
    frames: dict[str, set[str]] = {}
    with_header = [
        topic for topic in TOPICS
        if "header" in topic.type.get_fields_and_field_types()  # type: ignore[attr-defined]
        and topic.publishers and topic is not LATENT_OUT
    ]  # fmt: skip
    for topic in with_header:
        name = topic.name

        def on_message(msg: Any, name: str = name) -> None:
            frames.setdefault(name, set()).add(msg.header.frame_id)

        node.create_subscription(topic.type, name, on_message, TAPPED)
    soon = {topic.name for topic in with_header} & SENT_WITHOUT_A_VISITOR
    _wait_for(lambda: soon & frames.keys(), soon)
    assert {name for name, found in frames.items() if "" in found} == set()
    pictures = {name for name in frames if "image" in name or "camera" in name}
    assert {frame for name in pictures for frame in frames[name]} == {"avatar_camera_optical_frame"}


def ends_declared(graph: Graph) -> set[End]:
    kinds = {node.name: node.kind for node in graph.nodes}
    parameters = {node.name: node.parameters for node in graph.nodes}
    ends = set()
    for wire in wires_of(graph):
        kind = type_name(wire.topic, "msg")
        for who in wire.publishers:
            ends.add((wire.name, "publishes", who, kind, in_words(wire.qos)))
        for who in wire.readers:
            here = wire.topic.with_parameters(parameters[who])
            # Of latents the name at this end is another's; the QoS is that of all of them.
            qos = wire.qos if "latent" in wire.name else here.wanted_by(kinds[who])
            ends.add((wire.name, "reads", who, kind, in_words(qos)))
    return ends


def ends_reported(graph: Graph, node: Node) -> set[End]:
    names = {each.name for each in graph.nodes}
    below = graph.namespace + "/"
    ends = set()
    for name, _ in node.get_topic_names_and_types():
        if not name.endswith(OF_ROS) and "/_action/" not in name:
            publishers: list[TopicEndpointInfo] = node.get_publishers_info_by_topic(name)
            readers: list[TopicEndpointInfo] = node.get_subscriptions_info_by_topic(name)
            for does, infos in (("publishes", publishers), ("reads", readers)):
                for info in infos:
                    if info.node_namespace == graph.namespace and info.node_name in names:
                        ends.add((name.removeprefix(below), does, info.node_name, info.topic_type,
                                  in_words(info.qos_profile)))  # fmt: skip
    return ends


def requests_declared(graph: Graph) -> set[tuple[str, str, str]]:
    requests = requests_of(graph)
    served = {(each.declared.name, "serves", each.server) for each in requests}
    return served | {(each.declared.name, "asks", who) for each in requests for who in each.clients}


def requests_reported(graph: Graph, node: Node) -> set[tuple[str, str, str]]:
    """A name is reported with its type, or else is none of those declared."""
    found = set()
    types = {each.name: type_name(each, "srv") for each in SERVICES}
    types |= {each.name: type_name(each, "action") for each in ACTIONS}
    for who in (each.name for each in graph.nodes):
        where = (who, graph.namespace)
        for does, names_and_types in (
            ("serves", node.get_service_names_and_types_by_node(*where)),
            ("asks", node.get_client_names_and_types_by_node(*where)),
            ("serves", get_action_server_names_and_types_by_node(node, *where)),
            ("asks", get_action_client_names_and_types_by_node(node, *where)),
        ):
            for full_name, kinds in names_and_types:
                name = full_name.removeprefix(graph.namespace + "/")
                if "/_action/" not in name and name.rpartition("/")[2] not in OF_EVERY_NODE:
                    kind_is_right = kinds == [types.get(name)]
                    found.add((name if kind_is_right else f"{name} {kinds}", does, who))
    return found


def ends_of_kinds() -> set[tuple[str, str, str]]:
    """What is declared of node kinds; of the names that the graph remaps, nothing."""
    ends = set()
    for topic in TOPICS:
        if topic not in (LATENT_IN, LATENT_OUT):
            ends |= {(topic.name, "publishes", kind) for kind in topic.publishers}
            ends |= {(topic.name, "reads", kind) for kind in topic.readers}
    for request in REQUESTS:
        ends |= {(request.name, "serves", kind) for kind in request.servers}
        ends |= {(request.name, "asks", kind) for kind in request.clients}
    outside = {EVERY_NODE, "anybody", "visitor", "observer", "witness"}
    return {end for end in ends if end[2] not in outside}


def type_name(declared: Declaration, part: str) -> str:
    return f"{declared.type.__module__.split('.')[0]}/{part}/{declared.type.__name__}"


def in_words(qos: QoSProfile) -> str:
    """What others can see of it; a depth stays within its process."""
    best_effort = qos.reliability == ReliabilityPolicy.BEST_EFFORT
    latched = qos.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return f"{'best effort' if best_effort else 'reliable'}{', latched' if latched else ''}"


def _wait_for(reported: Callable[[], set[Any]], declared: set[Any]) -> None:
    """Until what is reported is what is declared; else say in what they differ."""
    last: set[Any] = set()

    def same() -> bool:
        last.clear()
        last.update(reported())
        return last == declared

    try:
        wait_until(same, what="the graph as declared", seconds=90.0)
    except AssertionError:
        assert (sorted(last - declared), sorted(declared - last)) == ([], [])
        raise
