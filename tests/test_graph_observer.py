"""What the observer of a graph sees of nodes that are not the graph's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)

from support.spinner import Spinner, wait_until

from avatar_msgs.msg import StageStatus
from avatar_nodes.graph import Graph
from avatar_nodes.graph_observer import GraphObserver
from avatar_nodes.profile import load_profile
from avatar_nodes.wire.qos import STAGES

GRAPH = Graph.from_profile(load_profile("tiny"))
NAMES = [node.name for node in GRAPH.nodes]


def _node(spinner: Spinner, name: str, namespace: str = GRAPH.namespace) -> Callable[..., None]:
    """A node that tells of itself what it is told to."""
    publisher = spinner.create_node(name, namespace=namespace).create_publisher(
        StageStatus, "stages", STAGES
    )

    def say(instance: str, *, ready: bool = False) -> None:
        publisher.publish(StageStatus(name=name, instance=instance, ready=ready))

    return say


def test_a_node_of_another_avatar_is_seen_before_the_start(spinner: Spinner) -> None:
    _node(spinner, "decoder", "/elsewhere")
    _node(spinner, "somebody")
    with GraphObserver(GRAPH) as observer:
        assert observer.rival() is None
        _node(spinner, "decoder")
        found: list[str | None] = []
        wait_until(lambda: found.append(observer.rival()) or found[-1] is not None, what="decoder")  # type: ignore[func-returns-value]
        assert found[-1] == "decoder"


def test_a_node_that_is_there_twice_is_another_avatar_s(spinner: Spinner) -> None:
    """Until all are ready; from then on it was restarted."""
    rivals: list[str] = []
    ready: list[bool] = []
    nodes = {name: _node(spinner, name) for name in NAMES}
    stranger = _node(spinner, "stranger")
    with GraphObserver(
        GRAPH, on_rival=rivals.append, on_ready=lambda: ready.append(True)
    ) as observer:
        for name, say in nodes.items():
            _until(lambda say=say: say("a"), lambda name=name: _heard(observer, name))  # type: ignore[misc]
        _until(lambda: stranger("a"), lambda: _heard(observer, "stranger"))
        _until(lambda: stranger("b"), lambda: observer._ready["stranger"].instance == "b")
        _until(lambda: nodes["decoder"]("a"), lambda: _heard(observer, "decoder"))
        assert rivals == []
        _until(lambda: nodes["decoder"]("b"), lambda: bool(rivals))
        assert set(rivals) == {"decoder"}
        _until(lambda: [say("b", ready=True) for say in nodes.values()], lambda: bool(ready))
        rivals.clear()
        _until(lambda: nodes["decoder"]("c"), lambda: observer._ready["decoder"].instance == "c")
        assert rivals == []
        assert ready == [True]


def _heard(observer: GraphObserver, name: str) -> bool:
    return name in observer._ready


def _until(act: Callable[[], object], condition: Callable[[], bool]) -> None:
    """Say it again until it was heard: the observer's ear is for what is said from now on."""

    def tried() -> bool:
        act()
        return condition()

    wait_until(tried, what="the observer to hear it")
