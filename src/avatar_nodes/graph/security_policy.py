"""Writes what each node of a graph may do as a policy of SROS2, ROS 2's security.

A policy names enclaves; a process proves with an enclave's certificate what it may publish, read,
serve and ask. All processes of the avatar are of one enclave, named as its namespace; whoever only
looks on and asks, of another beside it, `_client`.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.wiring import requests_of, wires_of
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.declaration import ANYBODY, OBSERVER, VISITOR, WITNESS, Action
from avatar_nodes.wire.topics import LOG, REQUESTS

PUBLISH, SUBSCRIBE = "publish", "subscribe"
REPLY, REQUEST = "reply", "request"
EXECUTE, CALL = "execute", "call"
Right = tuple[str, str]
"""What may be done, and the absolute name with which."""

CLIENT = "client"
_OUTSIDE = {CLIENT: {ANYBODY, VISITOR, WITNESS}, OBSERVER: {OBSERVER}}
_ELEMENTS = {
    PUBLISH: ("topics", "topic"),
    SUBSCRIBE: ("topics", "topic"),
    REPLY: ("services", "service"),
    REQUEST: ("services", "service"),
    EXECUTE: ("actions", "action"),
    CALL: ("actions", "action"),
}
_OF_PARAMETERS = (
    "describe_parameters", "get_parameter_types", "get_parameters", "get_type_description",
    "list_parameters", "set_parameters", "set_parameters_atomically",
)  # fmt: skip
_OF_LIFE_CYCLE = (
    "change_state", "get_available_states", "get_available_transitions", "get_state",
    "get_transition_graph",
)  # fmt: skip
OF_EVERY_NODE = frozenset((*_OF_PARAMETERS, *_OF_LIFE_CYCLE))
"""Services that ROS gives every managed node."""


def whole_avatar(namespace: str = "/avatar") -> tuple[Graph, ...]:
    """Graphs that have every kind of node between them, in every mode, of the profile `tiny`."""
    everything = with_values(
        load_profile("tiny"),
        {
            "memory": {"enabled": True},
            "kiosk": {"enabled": True},
            "archive": {"enabled": True},
            "loudspeaker": {"enabled": True},
        },
    )
    by_server = with_values(everything, {"realtime": {"enabled": True}})
    return (
        Graph.from_profile(everything, mode="converse", out="video.mp4", namespace=namespace),
        Graph.from_profile(by_server, mode="converse", namespace=namespace),
        Graph.from_profile(everything, mode="puppet", namespace=namespace),
        Graph.from_profile(
            everything, mode="render", audio="speech.wav", out="video.mp4", namespace=namespace
        ),
    )


def rights_of(graph: Graph) -> dict[str, set[Right]]:
    """What each node of the graph does, what ROS adds included; under CLIENT what others may, under
    OBSERVER what `avatar up` itself does."""
    rights: dict[str, set[Right]] = {node.name: set() for node in graph.nodes}
    for who in _OUTSIDE:
        rights[who] = set(of_ros(graph.namespace, who, managed=False))
    for node in graph.nodes:
        rights[node.name].update(of_ros(graph.namespace, node.name, managed=True))
        for service in OF_EVERY_NODE:
            rights[CLIENT].add((REQUEST, f"{graph.namespace}/{node.name}/{service}"))
    for wire in wires_of(graph):
        name = absolute(wire.name, graph.namespace)
        for who in wire.publishers:
            rights[who].add((PUBLISH, name))
        for who in wire.readers:
            rights[who].add((SUBSCRIBE, name))
        for who in _outside(wire.topic.publishers):
            rights[who].add((PUBLISH, name))
        for who in _outside(wire.topic.readers):
            rights[who].add((SUBSCRIBE, name))
    for request in requests_of(graph):
        name = absolute(request.declared.name, graph.namespace)
        serve, ask = (EXECUTE, CALL) if isinstance(request.declared, Action) else (REPLY, REQUEST)
        rights[request.server].add((serve, name))
        for who in (*request.clients, *_outside(request.declared.clients)):
            rights[who].add((ask, name))
    # A node may ask for what another graph has a server of: an own reasoner, say.
    for declared in REQUESTS:
        for node in graph.nodes:
            if node.kind in declared.clients:
                ask = CALL if isinstance(declared, Action) else REQUEST
                rights[node.name].add((ask, absolute(declared.name, graph.namespace)))
    return rights


def security_policy(graphs: Sequence[Graph]) -> str:
    """The policy of graphs of one namespace together, as XML for `ros2 security`.

    Raises:
        ValueError: their namespaces differ, or there is no graph.
    """
    (namespace,) = {graph.namespace for graph in graphs}
    rights: dict[str, set[Right]] = {}
    for graph in graphs:
        for who, those in rights_of(graph).items():
            rights.setdefault(who, set()).update(those)
    client = rights.pop(CLIENT)
    policy = ET.Element("policy", version="0.2.0")
    enclaves = ET.SubElement(policy, "enclaves")
    # The avatar's own commands on this machine are clients within its enclave.
    _enclave(enclaves, namespace, namespace, {**rights, CLIENT: client})
    _enclave(enclaves, f"{namespace}_{CLIENT}", namespace, {CLIENT: client})
    ET.indent(policy)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(policy, encoding="unicode")}\n'


def absolute(name: str, namespace: str) -> str:
    """A topic's, service's or action's name as ROS resolves it."""
    return name if name.startswith("/") else f"{namespace}/{name}"


def _outside(kinds: tuple[str, ...]) -> list[str]:
    return [who for who, those in _OUTSIDE.items() if not those.isdisjoint(kinds)]


def of_ros(namespace: str, node: str, *, managed: bool) -> Iterable[Right]:
    """What ROS adds to a node; more to a managed one."""
    yield PUBLISH, LOG.name
    yield PUBLISH, "/parameter_events"
    yield SUBSCRIBE, "/parameter_events"
    yield SUBSCRIBE, "/clock"
    own = f"{namespace}/{node}"
    if managed:
        yield PUBLISH, f"{own}/transition_event"
    for service in OF_EVERY_NODE if managed else _OF_PARAMETERS:
        yield REPLY, f"{own}/{service}"


def _enclave(
    enclaves: ET.Element, path: str, namespace: str, rights: dict[str, set[Right]]
) -> None:
    profiles = ET.SubElement(ET.SubElement(enclaves, "enclave", path=path), "profiles")
    for node, those in sorted(rights.items()):
        profile = ET.SubElement(profiles, "profile", ns=namespace, node=node)
        for right, (several, one) in _ELEMENTS.items():
            if names := sorted(name for each, name in those if each == right):
                group = ET.SubElement(profile, several, {right: "ALLOW"})
                for name in names:
                    ET.SubElement(group, one).text = name
