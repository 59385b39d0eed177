"""What is declared of a topic, a service or an action: name, type, QoS, who publishes, who reads,
what it means; and how publishers, subscriptions, servers and clients are made of that.

Who publishes, reads, serves or asks is named by node kind. Besides these there are EVERY_NODE, and
outside of the graph ANYBODY (a public topic), VISITOR (client/visitor.py), OBSERVER
(graph/observer.py) and WITNESS (bench/turn/witness.py, bench/restart/).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rclpy.action import ActionServer
from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from avatar_nodes.wire import qos
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.wire.qos import public_qos

EVERY_NODE = "every node"
ANYBODY = "anybody"
VISITOR = "visitor"
OBSERVER = "observer"
WITNESS = "witness"

Parameters = Mapping[str, Any]
Condition = Callable[[Parameters], bool]


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """How some readers read a topic that is published otherwise, and why."""

    qos: QoSProfile
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Declaration:
    """What topics, services and actions have in common.

    when: of the kinds named that do not always take part, whether a node with these parameters
    does.
    """

    name: str
    type: type
    meaning: str
    when: Mapping[str, Condition] = field(default_factory=dict)

    def _demand(self, kind: str, kinds: tuple[str, ...], role: str) -> None:
        """Raises ValueError: the declaration does not name this kind."""
        if kind not in kinds and EVERY_NODE not in kinds:
            declared = ", ".join(kinds) or "nobody"
            raise ValueError(f"{self.name}: {role} declared: {declared}; not {kind}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Topic(Declaration):
    """A topic.

    reading: of the kinds that read it with another QoS than it is published with.
    name_parameter: node parameter that gives the name instead, of nodes that have it.
    qos_parameter: node parameter that gives the QoS (one of PUBLIC_NAMES) instead.
    leader: topic whose new name this one follows where that is remapped and this one is not, as
    readers of pictures expect of `camera_info`.
    """

    qos: QoSProfile
    publishers: tuple[str, ...]
    readers: tuple[str, ...]
    reading: Mapping[str, Reading] = field(default_factory=dict)
    name_parameter: str = ""
    qos_parameter: str = ""
    leader: str = ""

    def with_parameters(self, parameters: Parameters) -> Topic:
        """The topic as a node with these parameters has it."""
        here = self
        if name := parameters.get(self.name_parameter):
            here = replace(here, name=name)
        if chosen := parameters.get(self.qos_parameter):
            here = replace(here, qos=public_qos(chosen), reading={})
        return here

    def led(self, node: Node) -> Topic:
        """The topic as `node` has it where its leader was remapped: still below or beside it."""
        if not self.leader or _remapped(node, self.name) or not _remapped(node, self.leader):
            return self
        lead = node.resolve_topic_name(self.leader)
        if self.name.startswith(f"{self.leader}/"):
            return replace(self, name=lead + self.name.removeprefix(self.leader))
        return replace(self, name=f"{lead.rpartition('/')[0]}/{self.name}")

    def offered_by(self, kind: str) -> QoSProfile:
        """QoS of a publisher. Raises ValueError: this kind does not publish it."""
        self._demand(kind, self.publishers, "publishers")
        return self.qos

    def wanted_by(self, kind: str) -> QoSProfile:
        """QoS of a reader. Raises ValueError: this kind does not read it."""
        self._demand(kind, self.readers, "readers")
        return self.reading[kind].qos if kind in self.reading else self.qos

    def publisher(self, node: Node, kind: str) -> Publisher:
        """A publisher of `node`. Raises ValueError: this kind does not publish it."""
        return node.create_publisher(self.type, self.name, self.offered_by(kind))

    def subscribe(
        self, node: Node, kind: str, callback: Callable[[Any], None], *, raw: bool = False
    ) -> Subscription:
        """A subscription of `node`; with `raw` the callback gets the serialized bytes.

        Raises:
            ValueError: this kind does not read it.
        """
        return node.create_subscription(
            self.type, self.name, callback, self.wanted_by(kind), raw=raw
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Service(Declaration):
    """A service. Responses of those that `AvatarNode.serve` offers have `success`, `message`."""

    servers: tuple[str, ...]
    clients: tuple[str, ...]

    def check_server(self, kind: str) -> None:
        """Raises ValueError: this kind does not serve it."""
        self._demand(kind, self.servers, "servers")

    def client(self, node: Node, kind: str) -> Client:
        """A client of `node`. Raises ValueError: this kind does not ask for it."""
        self._demand(kind, self.clients, "clients")
        return node.create_client(self.type, self.name)


@dataclass(frozen=True, kw_only=True, eq=False)
class Action(Declaration):
    """An action."""

    servers: tuple[str, ...]
    clients: tuple[str, ...]

    def serve(self, node: Node, kind: str, execute: Callable[..., Any], **options: Any) -> Any:
        """An action server of `node`. Raises ValueError: this kind does not serve it."""
        self._demand(kind, self.servers, "servers")
        return ActionServer(node, self.type, self.name, execute, **options)

    def client(self, node: Node, kind: str) -> ActionClient:
        """A client of `node`. Raises ValueError: this kind does not ask for it."""
        self._demand(kind, self.clients, "clients")
        return ActionClient(node, self.type, self.name)


def _remapped(node: Node, name: str) -> bool:
    resolved: str = node.resolve_topic_name(name)
    return resolved != node.resolve_topic_name(name, only_expand=True)


def tapped(name: str, kind: type, *, latched: bool) -> Topic:
    """Any topic, declared or not, as the archive takes it down.

    latched: all who publish it keep it for late comers.
    """
    return Topic(
        name=name,
        type=kind,
        qos=qos.TAPPED_LATCHED if latched else qos.TAPPED,
        publishers=(),
        readers=("archive",),
        meaning="As it comes.",
    )
