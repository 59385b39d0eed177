"""Asks a running avatar for an action, and waits for its result; Ctrl-C and SIGTERM cancel it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from rclpy.task import Future

from avatar_nodes.client.client_node import ClientNode
from avatar_nodes.wire.declaration import ANYBODY, Action

if TYPE_CHECKING:
    from typing_extensions import Self

_CANCEL_PATIENCE_S = 5.0
_GONE_S = 3.0


class ActionRequestError(RuntimeError):
    """The avatar is not there, or refuses; one line."""


class ActionRequest(ClientNode):
    """A client of one action server; a context manager.

    namespace: the avatar's. timeout_s: how long to look for the server.
    """

    def __init__(self, action: Action, namespace: str, *, timeout_s: float = 10.0) -> None:
        super().__init__("avatar_request", namespace)
        self._action = action
        self._offered = f"{namespace}/{action.name}"
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        super().__enter__()
        self._client = self._action.client(self.node, ANYBODY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._client.destroy()
        super().__exit__(kind, error, trace)

    def run(self, goal: Any, on_feedback: Callable[[Any], None]) -> Any:
        """Send `goal`; returns the result.

        KeyboardInterrupt cancels the goal and is raised again; SIGTERM is one, too, on the main
        thread. Raises ActionRequestError: the action is not offered, or the goal was not accepted.
        """
        with _terminated_as_interrupted():
            return self._run(goal, on_feedback)

    def _run(self, goal: Any, on_feedback: Callable[[Any], None]) -> Any:
        if not self._client.wait_for_server(self._timeout_s):
            raise ActionRequestError(
                f"nobody offers {self._offered}: is an avatar up in mode converse, in this"
                " namespace and ROS_DOMAIN_ID?"
            )
        sent = self._client.send_goal_async(goal, lambda msg: on_feedback(msg.feedback))
        try:
            handle = self._wait(sent)
            if not handle.accepted:
                raise ActionRequestError(f"{self._offered} did not accept the request")
            return self._wait(handle.get_result_async()).result
        except KeyboardInterrupt:
            self._cancel(sent)
            raise

    def _cancel(self, sent: Future[Any]) -> None:
        """Take the goal back, also one that is not accepted yet."""
        spin = self.executor.spin_until_future_complete
        spin(sent, _CANCEL_PATIENCE_S)
        handle = sent.result() if sent.done() else None
        if handle is not None and handle.accepted:
            spin(handle.cancel_goal_async(), _CANCEL_PATIENCE_S)
            spin(handle.get_result_async(), _CANCEL_PATIENCE_S)

    def _wait(self, future: Future[Any]) -> Any:
        seen = time.monotonic()
        while not future.done():
            self.executor.spin_once(timeout_sec=0.2)
            if self._client.server_is_ready():
                seen = time.monotonic()
            elif time.monotonic() - seen > _GONE_S:
                raise ActionRequestError(f"the node that offered {self._offered} is gone")
        answer = future.result()
        if answer is None:
            raise ActionRequestError(f"{self._offered} gave no answer")
        return answer


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as Ctrl-C does; nothing on another thread than the main."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
