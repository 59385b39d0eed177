"""What goes wrong in a service is answered, and the node lives on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import rclpy
from std_srvs.srv import Trigger
from support.spinner import Spinner

from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire.declaration import Service

ASK = Service(
    name="ask", type=Trigger, servers=("clumsy",), clients=("asks",), meaning="A question."
)


class Clumsy(AvatarNode):
    """Fails at every other request."""

    KIND = "clumsy"

    def setup(self) -> None:
        self.asked = 0
        self.serve(ASK, self._on_ask)

    def _on_ask(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.asked += 1
        if self.asked % 2:
            raise RuntimeError("stumbled\nover nothing")
        response.success = True
        return response


@pytest.fixture
def clumsy(ros_context: rclpy.Context) -> Iterator[Clumsy]:
    node = Clumsy(context=ros_context)
    node.autostart()
    spinner = Spinner(ros_context)
    spinner.add(node)
    yield node
    node.heartbeat.stop()
    spinner.stop()


def test_a_failure_is_counted_and_answered(clumsy: Clumsy, ros_context: rclpy.Context) -> None:
    spinner = Spinner(ros_context)
    try:
        client = ASK.client(spinner.create_node("asks"), "asks")
        assert client.wait_for_service(10.0)
        first, second = (client.call(Trigger.Request(), timeout_sec=10.0) for _ in range(2))
    finally:
        spinner.stop()
    assert (first.success, first.message) == (False, "stumbled; over nothing")
    assert second.success
    assert clumsy.telemetry.rejections["internal"] == 1
