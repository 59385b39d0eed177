"""Asks a running avatar for an action, and waits for its result; Ctrl-C cancels it."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

from avatar_nodes.graph.environment import adopt_environment
from avatar_nodes.wire.topics import ANYBODY, Action

_CANCEL_PATIENCE_S = 5.0
_GONE_S = 3.0


class ActionRequestError(RuntimeError):
    """The avatar is not there, or refuses; one line."""


class ActionRequest:
    """A client of one action server; a context manager.

    namespace: the avatar's. timeout_s: how long to look for the server.
    """

    def __init__(self, action: Action, namespace: str, *, timeout_s: float = 10.0) -> None:
        self._action = action
        self._namespace = namespace
        self._name = f"{namespace}/{action.name}"
        self._timeout_s = timeout_s
        self._context = Context()

    def __enter__(self) -> ActionRequest:
        adopt_environment()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node(
            "avatar_request", context=self._context, namespace=self._namespace
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._client = self._action.client(self._node, ANYBODY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._client.destroy()
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def run(self, goal: Any, on_feedback: Callable[[Any], None]) -> Any:
        """Send `goal`; returns the result.

        KeyboardInterrupt cancels the goal and is raised again. Raises ActionRequestError: the
        action is not offered, or the goal was not accepted.
        """
        if not self._client.wait_for_server(self._timeout_s):
            raise ActionRequestError(
                f"nobody offers {self._name}: is an avatar up in mode converse, in this namespace"
                " and ROS_DOMAIN_ID?"
            )
        sent = self._client.send_goal_async(goal, lambda msg: on_feedback(msg.feedback))
        handle = self._wait(sent)
        if not handle.accepted:
            raise ActionRequestError(f"{self._name} did not accept the request")
        result = handle.get_result_async()
        try:
            return self._wait(result).result
        except KeyboardInterrupt:
            self._executor.spin_until_future_complete(
                handle.cancel_goal_async(), _CANCEL_PATIENCE_S
            )
            self._executor.spin_until_future_complete(result, _CANCEL_PATIENCE_S)
            raise

    def _wait(self, future: Future[Any]) -> Any:
        seen = time.monotonic()
        while not future.done():
            self._executor.spin_once(timeout_sec=0.2)
            if self._client.server_is_ready():
                seen = time.monotonic()
            elif time.monotonic() - seen > _GONE_S:
                raise ActionRequestError(f"whoever offered {self._name} is gone")
        answer = future.result()
        if answer is None:
            raise ActionRequestError(f"{self._name} gave no answer")
        return answer
