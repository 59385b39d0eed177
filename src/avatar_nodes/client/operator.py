"""Acts as operator of a running avatar: lets it speak and act, interrupts and resets it."""

from __future__ import annotations

from typing import Any

from rclpy.client import Client
from std_srvs.srv import Trigger

from avatar_msgs.action import Perform, Say
from avatar_nodes.client.visitor import VirtualVisitor
from avatar_nodes.text.words import clean_text
from avatar_nodes.wire import topics
from avatar_nodes.wire.action_client import ActionClient
from avatar_nodes.wire.declaration import ANYBODY


class VirtualOperator:
    """Uses a visitor's node; `close` it before the visitor leaves. Every order returns the reason
    of a refusal, or ''.
    """

    def __init__(self, visitor: VirtualVisitor) -> None:
        self._visitor = visitor
        node = visitor.node
        self._say = topics.SAY.client(node, ANYBODY)
        self._perform = topics.PERFORM.client(node, ANYBODY)
        self._interrupt = topics.INTERRUPT.client(node, ANYBODY)
        self._reset = topics.RESET.client(node, ANYBODY)

    def close(self) -> None:
        """Release the clients; no order works any more."""
        for action in (self._say, self._perform):
            action.destroy()
        for service in (self._interrupt, self._reset):
            self._visitor.node.destroy_client(service)

    def say(self, text: str, *, timeout_s: float) -> str:
        """Let the avatar say `text`, and wait until it has.

        Raises:
            VisitorError: no answer came in time.
        """
        return self._act("say", self._say, Say.Goal(text=clean_text(text)), timeout_s)

    def perform(self, prompt: str, *, seconds: float, timeout_s: float) -> str:
        """Let the avatar act, and wait until it has. Raises VisitorError."""
        goal = Perform.Goal(prompt=clean_text(prompt), duration=seconds)
        return self._act("perform", self._perform, goal, timeout_s)

    def interrupt(self, *, timeout_s: float) -> str:
        """Stop the reply that is being thought about or spoken. Raises VisitorError."""
        return self._call("interrupt", self._interrupt, timeout_s)

    def reset(self, *, timeout_s: float) -> str:
        """Interrupt, and reset the dialogue. Raises VisitorError."""
        return self._call("reset", self._reset, timeout_s)

    def _act(self, name: str, client: ActionClient, goal: Any, timeout_s: float) -> str:
        wait = self._visitor.wait_for
        wait(f"action {name}", client.server_is_ready, timeout_s)
        sent: Any = client.send_goal_async(goal)
        wait(f"an answer to action {name}", sent.done, timeout_s)
        handle = sent.result()
        if not handle.accepted:
            return "not accepted"
        result: Any = handle.get_result_async()
        wait(f"the end of action {name}", result.done, timeout_s)
        return str(result.result().result.message)

    def _call(self, name: str, client: Client, timeout_s: float) -> str:
        wait = self._visitor.wait_for
        wait(f"service {name}", client.service_is_ready, timeout_s)
        sent: Any = client.call_async(Trigger.Request())
        wait(f"an answer of service {name}", sent.done, timeout_s)
        response = sent.result()
        return "" if response.success else str(response.message or "not carried out")
