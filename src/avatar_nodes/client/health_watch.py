"""Asks a running avatar how it is."""

from __future__ import annotations

import time
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.web.health import HealthBoard
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import ANYBODY
from avatar_nodes.wire.health import health_from_msg

_LOOK_S = 0.1


class HealthWatch(ClientNode):
    """A context manager; namespace: the avatar's."""

    def __init__(self, namespace: str) -> None:
        super().__init__("avatar_health", namespace)

    def look(self, timeout_s: float) -> dict[str, Any]:
        """What `HealthBoard.sum` says once every supervisor has spoken, or the time is over."""
        board, heard = HealthBoard(), set[str]()

        def take(msg: DiagnosticStatus) -> None:
            try:
                board.put(msg.hardware_id, health_from_msg(msg), time.monotonic())
                heard.add(msg.hardware_id)
            except RefusedError:
                return

        topics.HEALTH.subscribe(self.node, ANYBODY, take)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=_LOOK_S)
            if heard and len(heard) >= self.node.count_publishers(topics.HEALTH.name):
                break
        return board.sum(time.monotonic())
