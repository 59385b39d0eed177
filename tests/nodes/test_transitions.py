"""Any node may be taken through its life cycle by whoever manages it: it answers at once, the
picture is back in a moment, and what fails can be asked for again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.graph.graph import Graph
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.profile import load_profile
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import Service

ASK = Service(
    name="ask", type=Trigger, servers=("fussy",), clients=("asks",), meaning="A question."
)

ANSWER_S, BACK_S = 1.0, 3.0
PAUSE = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE)
ANEW = (
    Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP,
    Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE,
)  # fmt: skip


class Manager:
    """Asks nodes for transitions, as nav2's does."""

    def __init__(self, spinner: Spinner, namespace: str) -> None:
        self._node = spinner.create_node("manager", namespace=namespace)
        self._clients: dict[str, Any] = {}

    def change(self, name: str, transition: int) -> float:
        """Seconds that the node took; it must succeed."""
        client = self._clients.get(name)
        if client is None:
            client = self._node.create_client(ChangeState, f"{name}/change_state")
            self._clients[name] = client
            assert client.wait_for_service(20.0), name
        began = time.monotonic()
        answer = client.call(
            ChangeState.Request(transition=Transition(id=transition)), timeout_sec=30.0
        )
        took = time.monotonic() - began
        assert answer is not None, f"{name} does not answer"
        assert answer.success, f"{name}: transition {transition}"
        return took


def test_the_picture_is_back(
    checkpoint: Path, long_speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    """The orders are those in which a new epoch once waited for `stream.block_timeout_s`, and each
    station alone."""
    profile = load_profile(str(write_tiny_profile(tmp_path, checkpoint)))
    graph = Graph.from_profile(profile, mode="puppet", audio=long_speech, namespace="/moved")
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: len(listener.presented) > 2, what="the first blocks")
    manager = Manager(spinner, graph.namespace)
    for names in (
        ["denoiser_2"], ["presenter"], ["conductor"], ["microphone"], ["decoder", "denoiser_1"],
        ["presenter", "decoder"], ["denoiser_1", "conductor", "denoiser_2"],
    ):  # fmt: skip
        for transitions in (PAUSE, ANEW):
            took = [manager.change(name, each) for each in transitions for name in names]
            began, have = time.monotonic(), len(listener.presented)
            what = f"the picture after {transitions} of {names}\n{running.logs()}"
            wait_until(lambda: len(listener.presented) >= have + 2, what=what, seconds=BACK_S)  # noqa: B023
            print(f"{names}: {max(took):.2f} s, back after {time.monotonic() - began:.2f} s")
            assert max(took[: len(names)]) < ANSWER_S and max(took[-len(names) :]) < ANSWER_S
    blocks = [message.block for message in listener.presented]
    steps = {after - before for before, after in itertools.pairwise(blocks)}
    assert max(steps) == 1, "no block is left out"


class Fussy(AvatarNode):
    """Configures only when it has what it wants."""

    KIND = "fussy"
    has_it = False

    def setup(self) -> None:
        self.told = self.publisher(topics.STAGES)
        if not self.has_it:
            raise ConfigurationError("parameter it: expected something, got nothing")

    def start(self) -> None:
        self.serve(ASK, lambda _, response: response)


@pytest.fixture
def fussy(ros_context: rclpy.Context) -> Iterator[Fussy]:
    by_hand = [Parameter("autostart", value=False)]
    node = Fussy(context=ros_context, parameter_overrides=by_hand)
    spinner = Spinner(ros_context)
    spinner.add(node)
    node.autostart()
    yield node
    node.heartbeat.stop()
    spinner.stop()


def test_a_failed_configure_can_be_asked_for_again(fussy: Fussy, spinner: Spinner) -> None:
    client = spinner.create_node("manager").create_client(ChangeState, "fussy/change_state")
    state = spinner.create_node("asks").create_client(GetState, "fussy/get_state")
    assert client.wait_for_service(10.0) and state.wait_for_service(10.0)

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(client.call(request, timeout_sec=10.0).success)

    assert not change(Transition.TRANSITION_CONFIGURE)
    assert state.call(GetState.Request(), timeout_sec=10.0).current_state.label == "unconfigured"
    said = fussy.heartbeat.condition
    assert (said.failed, said.detail) == (True, "parameter it: expected something, got nothing")
    assert fussy.exit_code is None, "its process would end"
    fussy.has_it = True
    before = fussy.heartbeat.instance
    for _ in range(2):
        assert all(change(each) for each in (ANEW[2], ANEW[3]))
        assert not fussy.heartbeat.condition.failed
        assert fussy.told.is_activated and fussy.count_publishers("stages") == 2, (
            "heartbeat's and it"
        )
        assert all(change(each) for each in (ANEW[0], ANEW[1]))
    assert fussy.count_publishers("stages") == 1
    assert fussy.heartbeat.instance != before, "it counts as restarted"
