"""Serves actions for a core that knows goals by number only."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire.topics import Action


class Goals:
    """The goals of a node's actions, each from its acceptance to its result.

    Every goal is accepted, and so is every wish to cancel one: whoever owns this asks `cancelled`
    often, and calls `end` for each goal once.
    """

    def __init__(self, node: AvatarNode) -> None:
        self._node = node
        self._servers: list[ActionServer] = []
        self._numbers = count(1)
        self._under_way: dict[int, tuple[ServerGoalHandle, Future[Any]]] = {}

    def serve(self, action: Action, begin: Callable[[int, Any], None]) -> None:
        """Offer an action; `begin` gets each goal's number and message.

        Raises:
            ValueError: the action's declaration names another kind of node.
        """

        async def execute(handle: ServerGoalHandle) -> Any:
            number = next(self._numbers)
            self._under_way[number] = (handle, Future())
            begin(number, handle.request)
            return await self._result(number)

        server = action.serve(
            self._node, self._node.KIND, execute, cancel_callback=lambda _: CancelResponse.ACCEPT
        )
        self._servers.append(server)

    def close(self) -> None:
        """Nothing can be asked any more."""
        while self._servers:
            self._servers.pop().destroy()

    def cancelled(self) -> list[int]:
        """Goals that somebody wants cancelled."""
        return [
            number for number, (handle, _) in self._under_way.items() if handle.is_cancel_requested
        ]

    def tell(self, number: int, feedback: Any) -> None:
        """Publish feedback, a message of the goal's action."""
        self._under_way[number][0].publish_feedback(feedback)

    def end(self, number: int, result: Any) -> None:
        """The goal has ended with this result, a message of its action that has `success`."""
        self._under_way[number][1].set_result(result)

    async def _result(self, number: int) -> Any:
        handle, over = self._under_way[number]
        result: Any = await over
        del self._under_way[number]
        if result.success:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result
