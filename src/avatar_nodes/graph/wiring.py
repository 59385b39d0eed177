"""Resolves who is connected with whom in a graph, by the declarations of `wire/topics.py` and each
node's parameters and remappings."""

from __future__ import annotations

from dataclasses import dataclass

from rclpy.qos import QoSProfile

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.node_spec import NodeSpec
from avatar_nodes.wire.declaration import (
    ANYBODY,
    EVERY_NODE,
    OBSERVER,
    Action,
    Declaration,
    Service,
    Topic,
)
from avatar_nodes.wire.topics import REQUESTS, TOPICS


@dataclass(frozen=True)
class Wire:
    """One topic of a graph: its name and QoS there, its declaration, the nodes at its ends."""

    name: str
    qos: QoSProfile
    topic: Topic
    publishers: tuple[str, ...]
    readers: tuple[str, ...]

    @property
    def public(self) -> bool:
        """Anybody may read it."""
        return ANYBODY in self.topic.readers

    @property
    def open(self) -> bool:
        """It comes from outside of the graph, and some node reads it."""
        outside = {ANYBODY, OBSERVER}
        return not outside.isdisjoint(self.topic.publishers) and bool(self.readers)

    @property
    def of_every_node(self) -> bool:
        """All nodes publish it."""
        return EVERY_NODE in self.topic.publishers


@dataclass(frozen=True)
class Request:
    """One service or action of a graph, the node that serves it, and the nodes that ask for it."""

    declared: Service | Action
    server: str
    clients: tuple[str, ...]


def wires_of(graph: Graph) -> tuple[Wire, ...]:
    """The topics that the graph's nodes publish, or that come from outside for them to read, in the
    order of their declarations."""
    declared: dict[str, tuple[Topic, QoSProfile]] = {}
    publishers: dict[str, list[str]] = {}
    readers: dict[str, list[str]] = {}
    for topic in TOPICS:
        for node in graph.nodes:
            here = topic.with_parameters(node.parameters)
            name = node.remappings.get(here.name, here.name)
            if _takes_part(node, topic, topic.publishers):
                declared[name] = (topic, here.qos)
                publishers.setdefault(name, []).append(node.name)
            if _takes_part(node, topic, topic.readers):
                declared.setdefault(name, (topic, here.qos))
                readers.setdefault(name, []).append(node.name)
    wires = (
        Wire(name, qos, topic, tuple(publishers.get(name, ())), tuple(readers.get(name, ())))
        for name, (topic, qos) in declared.items()
    )
    return tuple(wire for wire in wires if wire.publishers or wire.open)


def requests_of(graph: Graph) -> tuple[Request, ...]:
    """The services and actions that the graph's nodes serve, in the order of declaration."""
    return tuple(
        Request(each, server, _names(graph, each, each.clients))
        for each in REQUESTS
        for server in _names(graph, each, each.servers)
    )


def _names(graph: Graph, declared: Declaration, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(node.name for node in graph.nodes if _takes_part(node, declared, kinds))


def _takes_part(node: NodeSpec, declared: Declaration, kinds: tuple[str, ...]) -> bool:
    if EVERY_NODE in kinds:
        return True
    condition = declared.when.get(node.kind, lambda _: True)
    return node.kind in kinds and condition(node.parameters)
