"""An operator who lets a running avatar speak, by action `say`, through a visitor's node."""

from __future__ import annotations

from typing import Any

from rclpy.action import ActionClient

from avatar_msgs.action import Say
from avatar_nodes.virtual_visitor import VirtualVisitor


class VirtualOperator:
    """`close` it before the visitor leaves."""

    def __init__(self, visitor: VirtualVisitor) -> None:
        self._visitor = visitor
        self._client: ActionClient[Any, Any, Any] = ActionClient(visitor.node, Say, "say")

    def close(self) -> None:
        """Nothing can be asked any more."""
        self._client.destroy()

    def say(self, text: str, *, timeout_s: float) -> str:
        """Let the avatar say `text`, and wait until it has; returns why it did not, or nothing.

        Raises:
            VisitorError: no answer came in time.
        """
        wait = self._visitor.wait_for
        wait("action say", self._client.server_is_ready, timeout_s)
        sent: Any = self._client.send_goal_async(Say.Goal(text=text))
        wait("an answer to action say", sent.done, timeout_s)
        handle = sent.result()
        if not handle.accepted:
            return "not accepted"
        result: Any = handle.get_result_async()
        wait("the end of action say", result.done, timeout_s)
        return str(result.result().result.message)
