"""Serves actions for a core that knows goals by number only."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire.declaration import Action

_MOST_GOALS = 32
_MOST_SAMPLES = 1 << 22


class Goals:
    """The goals of a node's actions, each from its acceptance to its result.

    A goal is accepted while there are fewer than `_MOST_GOALS`, and no more than `_MOST_SAMPLES` of
    sound in all of them; and so is every wish to cancel one. Whoever owns this asks `cancelled`
    often, and calls `end` for each goal once.
    """

    def __init__(self, node: AvatarNode) -> None:
        self._node = node
        self._servers: list[ActionServer] = []
        self._numbers = count(1)
        self._under_way: dict[int, tuple[ServerGoalHandle, Future[Any]]] = {}
        self._accepted = self._samples = 0

    def serve(self, action: Action, begin: Callable[[int, Any], None]) -> None:
        """Offer an action; `begin` gets each goal's number and message.

        Raises:
            ValueError: the action's declaration names another kind of node.
        """

        async def execute(handle: ServerGoalHandle) -> Any:
            number = next(self._numbers)
            self._under_way[number] = (handle, Future())
            begin(number, handle.request)
            try:
                return await self._result(number)
            finally:
                self._accepted -= 1
                self._samples -= _samples_of(handle.request)

        server = action.serve(
            self._node, self._node.KIND, execute, goal_callback=self._admit,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )  # fmt: skip
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

    def _admit(self, request: Any) -> GoalResponse:
        samples = self._samples + _samples_of(request)
        if self._accepted >= _MOST_GOALS or samples > _MOST_SAMPLES:
            self._node.telemetry.rejected("goals")
            return GoalResponse.REJECT
        self._accepted, self._samples = self._accepted + 1, samples
        return GoalResponse.ACCEPT

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


def _samples_of(request: Any) -> int:
    """Of the sound that a goal brings with it."""
    return len(request.audio.data) if hasattr(request, "audio") else 0
