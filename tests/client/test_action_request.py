"""What is asked of an action ends with whoever asked: by Ctrl-C, and by SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest
import rclpy
from rclpy.action import CancelResponse
from rclpy.task import Future
from support.spinner import Spinner

from avatar_msgs.action import Say
from avatar_nodes.client.action_request import ActionRequest
from avatar_nodes.wire import topics

CANCELLED_WITHIN_S = 10.0


class Stage:
    """Says the same for ever, until it is cancelled."""

    def __init__(self, spinner: Spinner, context: rclpy.Context) -> None:
        self.cancelled = threading.Event()
        self._over: Future[None] = Future()
        node = rclpy.create_node("stage", context=context, namespace="/stage")
        self._server = topics.SAY.serve(
            node, "conductor", self._say, cancel_callback=self._on_cancel
        )
        spinner.add(node)

    def _on_cancel(self, goal: Any) -> CancelResponse:
        self.cancelled.set()
        self._over.set_result(None)
        return CancelResponse.ACCEPT

    async def _say(self, goal: Any) -> Say.Result:
        goal.publish_feedback(Say.Feedback(elapsed=0.1, total=1.0))
        await self._over
        goal.canceled()
        return Say.Result(message="cancelled")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_takes_back_what_was_asked(
    number: signal.Signals, spinner: Spinner, ros_context: rclpy.Context
) -> None:
    stage = Stage(spinner, ros_context)
    before = signal.getsignal(signal.SIGTERM)
    with (
        ActionRequest(topics.SAY, "/stage", timeout_s=30.0) as request,
        pytest.raises(KeyboardInterrupt),
    ):
        request.run(Say.Goal(text="on and on"), lambda feedback: os.kill(os.getpid(), number))
    assert stage.cancelled.wait(CANCELLED_WITHIN_S)
    assert signal.getsignal(signal.SIGTERM) is before
