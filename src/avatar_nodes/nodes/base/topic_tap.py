"""Listens to all topics of an avatar, whatever their types, and hands on the serialized bytes."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from rclpy.qos import DurabilityPolicy, QoSProfile

from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.recording.live_recording import WireMessage
from avatar_nodes.wire.declaration import tapped
from avatar_nodes.wire.definition import definition_of
from avatar_nodes.wire.qos import offered_qos_text


class TopicTap:
    """Subscribes to each topic as it appears, best effort: a slow disk holds nobody up.

    Args:
        wanted: asked with a topic's full name and type.
    """

    def __init__(
        self,
        node: AvatarNode,
        wanted: Callable[[str, str], bool],
        on_message: Callable[[WireMessage], None],
    ) -> None:
        self._node = node
        self._wanted = wanted
        self._on_message = on_message
        self._seen: set[str] = set()

    def look(self) -> None:
        """Subscribe to topics that are new and published; to be called now and then."""
        for topic, kinds in self._node.get_topic_names_and_types():
            if topic not in self._seen and kinds and self._wanted(topic, kinds[0]):
                publishers = self._node.get_publishers_info_by_topic(topic)
                if offered := [each.qos_profile for each in publishers]:
                    self._seen.add(topic)
                    self._subscribe(topic, kinds[0], offered)

    def forget(self) -> None:
        """The node's subscriptions are gone: `look` begins anew."""
        self._seen.clear()

    def _subscribe(self, topic: str, kind: str, offered: list[QoSProfile]) -> None:
        try:
            definition_of(kind)  # without it, the message could not be read from the file
            package, _, name = kind.split("/")
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
        except (RefusedError, ImportError, AttributeError, ValueError) as error:
            self._node.get_logger().warning(f"{topic} is not recorded: {error}")
            return
        # Latched if every publisher keeps its last messages for those who come later.
        kept = DurabilityPolicy.TRANSIENT_LOCAL
        latched = all(each.durability == kept for each in offered)
        offered_qos = offered_qos_text(offered)

        def on_bytes(data: Any) -> None:
            now = self._node.get_clock().now().nanoseconds
            self._on_message(WireMessage(topic, kind, bytes(data), now, offered_qos, latched))

        self._node.listen(tapped(topic, message_type, latched=latched), on_bytes, raw=True)
