"""Any message on any topic, service and action is taken or refused: no node stumbles over one, and
a running avatar goes on."""

from __future__ import annotations

import inspect
import itertools
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
import rclpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rclpy.parameter import Parameter
from rclpy.task import Future
from support.any_message import EPOCH, filled
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs import msg as m
from avatar_nodes.graph.graph import Graph
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.container import node_class
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire import topics
from avatar_nodes.wire.declaration import Action

KINDS = (
    "conductor",
    "denoiser",
    "memory",
    "decoder",
    "presenter",
    "reasoner",
    "timeline",
    "voice",
    "microphone",
    "listener",
    "realtime",
    "recorder",
    "archive",
    "kiosk",
)
STILL_S = 3.0
FROZEN_S = 20.0
"""A machine with other work needs seconds for what takes a free one tenths; without help, a graph
that has lost a block stands for 30 s."""


class Target:
    """A node that is active and spun by nobody: messages are handed to its callbacks."""

    def __init__(self, node: AvatarNode) -> None:
        self.node = node
        self._numbers = itertools.count(1)
        self._epochs = itertools.count(EPOCH)
        self._inlets: list[Callable[[Random], None]] = [
            *(self._topic(heard) for heard in node._heard),
            *(self._service(served) for served in node._served),
        ]
        if node.KIND == "conductor":
            self._inlets += [
                self._goal(topics.SAY, "_on_say"),
                self._goal(topics.PERFORM, "_on_perform"),
            ]

    def send(self, random: Random) -> None:
        random.choice(self._inlets)(random)

    def begin(self) -> None:
        """Bring it into an epoch, as the rest of the graph would."""
        callbacks = {heard.topic_name.lstrip("/"): heard.callback for heard in self.node._heard}
        latent = m.Tensor(dtype="float32", shape=[8, 1, 4, 4], data=array("B", bytes(512)))
        sink = m.SinkFrame(latent=latent)
        if self.node.KIND == "conductor":
            callbacks["sink"](sink)
            for _ in range(2):
                epoch = self.node.heartbeat.condition.epoch
                for name in self.node.settings.stages:
                    status = m.StageStatus(name=name, instance=name, ready=epoch > 0, epoch=epoch)
                    callbacks["stages"](status)
        elif "blocks/epoch" in callbacks:
            callbacks["blocks/epoch"](m.EpochStart(epoch=next(self._epochs), sink=sink))

    @staticmethod
    def _topic(heard: Any) -> Callable[[Random], None]:
        return lambda random: heard.callback(filled(heard.msg_type(), random))

    @staticmethod
    def _service(served: Any) -> Callable[[Random], None]:
        kind = served.srv_type

        def send(random: Random) -> None:
            request = filled(kind.Request(), random)
            if hasattr(request, "image") and random.random() < 0.95:
                del request.image[:]  # a process is started for each
            answer = served.callback(request, kind.Response())
            while inspect.iscoroutine(answer):
                try:
                    answer.send(None)
                except StopIteration:
                    break
                time.sleep(0.001)

        return send

    def _goal(self, action: Action, name: str) -> Callable[[Random], None]:
        def send(random: Random) -> None:
            node: Any = self.node
            number, request = next(self._numbers), filled(action.type.Goal(), random)  # type: ignore[attr-defined]
            handle: Any = SimpleNamespace(
                request=request, is_cancel_requested=False, publish_feedback=lambda _: None
            )
            node._goals._under_way[number] = (handle, Future())
            getattr(node, name)(number, request)

        return send


@pytest.fixture(scope="module")
def graph(remembering: Path, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    folder = tmp_path_factory.mktemp("any")
    file = write_tiny_profile(folder, remembering)
    profile = with_values(
        load_profile(str(file)),
        {"memory": {"enabled": True}, "kiosk": {"enabled": True, "port": 0, "label": False},
         "archive": {"enabled": True, "folder": str(folder), "label": False}},
    )  # fmt: skip
    return Graph.from_profile(profile, mode="converse", out=folder / "out.mp4")


@pytest.fixture(params=KINDS)
def target(
    request: pytest.FixtureRequest, graph: Graph, ros_context: rclpy.Context
) -> Iterator[Target]:
    by_server = with_values(
        graph.profile, {"realtime": {"enabled": True, "url": "ws://127.0.0.1:9"}}
    )
    nodes = (*graph.nodes, *Graph.from_profile(by_server, mode="converse").nodes)
    spec = next(node for node in nodes if node.kind == request.param)
    overrides = [Parameter(name, value=value) for name, value in spec.parameters.items()]
    node = node_class(spec.kind)(context=ros_context, parameter_overrides=overrides)
    node.autostart()
    assert node.exit_code is None
    yield Target(node)
    node.shut_down()


@given(random=st.randoms(use_true_random=True), count=st.integers(1, 30))
@settings(
    max_examples=30, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
def test_no_node_stumbles(target: Target, random: Random, count: int) -> None:
    def stumbled() -> int:
        return target.node.telemetry.rejections.get("internal", 0)

    before = stumbled()
    target.begin()
    for _ in range(count):
        began = time.monotonic()
        target.send(random)
        assert time.monotonic() - began < STILL_S, "one message keeps it busy"
    assert stumbled() == before, "see the log for its trace"


def test_a_running_avatar_goes_on(
    checkpoint: Path, long_speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    profile = load_profile(str(write_tiny_profile(tmp_path, checkpoint)))
    graph = Graph.from_profile(
        profile, mode="puppet", audio=long_speech, placement="single", namespace="/any"
    )
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: len(listener.presented) > 2, what="the first blocks")
    watched = (topics.IMAGE_RAW, topics.AUDIO, topics.PRESENTED)
    names = [
        topic for topic in topics.TOPICS
        if topic not in watched and not topic.name.startswith(("/", "latent_"))
    ]  # fmt: skip
    outlets = [listener.node.create_publisher(t.type, t.name, t.qos) for t in names]
    services = [
        (each, listener.node.create_client(each.type, each.name))
        for each in (topics.SET_PROMPT, topics.SET_REFERENCE)
    ]
    wait_until(lambda: all(client.service_is_ready() for _, client in services), what="services")
    random, longest = Random(24), 0.0
    have, last = len(listener.presented), time.monotonic()
    for number in range(2000):
        topic, outlet = random.choice(list(zip(names, outlets, strict=True)))
        outlet.publish(filled(topic.type(), random))
        if number % 20 == 0:
            service, client = random.choice(services)
            client.call_async(filled(service.type.Request(), random))  # type: ignore[attr-defined]
        time.sleep(0.005)
        if len(listener.presented) > have:
            have, last = len(listener.presented), time.monotonic()
        longest = max(longest, time.monotonic() - last)
    have = len(listener.presented)
    what = f"blocks afterwards\n{running.logs()}"
    wait_until(lambda: len(listener.presented) > have + 2, what=what, seconds=FROZEN_S)
    print(f"still for {longest:.2f} s at most")
    assert longest < FROZEN_S, running.logs()
    assert [running.exit_code(name) for name in running.names] == [None]
