"""What the observer of a graph sees of nodes that are not the graph's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)

from support.spinner import Spinner, wait_until

from avatar_msgs.msg import StageStatus
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.observer import GraphObserver
from avatar_nodes.profile import load_profile
from avatar_nodes.wire.qos import STAGES

GRAPH = Graph.from_profile(load_profile("tiny"))
RUN = "ours"
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
    with GraphObserver(GRAPH, run=RUN) as observer:
        assert observer.rival() is None
        _node(spinner, "decoder")
        found: list[str | None] = []
        wait_until(lambda: found.append(observer.rival()) or found[-1] is not None, what="decoder")  # type: ignore[func-returns-value]
        assert found[-1] == "decoder"


def test_the_nodes_of_another_run_are_a_rival_s_until_ours_are_ready(spinner: Spinner) -> None:
    """However late they are discovered, and though all of them are ready: a graph took those of
    another for its own, and both went on side by side.
    """
    rivals: list[str] = []
    ready: list[bool] = []
    nodes = {name: _node(spinner, name) for name in NAMES}
    stranger = _node(spinner, "stranger")
    with GraphObserver(
        GRAPH, run=RUN, on_rival=rivals.append, on_ready=lambda: ready.append(True)
    ) as observer:
        _until(lambda: stranger("theirs-1"), lambda: "stranger" in observer._foreign)
        for name, say in nodes.items():
            _until(lambda say=say: say("ours-1"), lambda name=name: _heard(observer, name))  # type: ignore[misc]
        _until(lambda: nodes["decoder"]("ours-2"), lambda: _instance(observer) == "ours-2")
        assert rivals == [] and ready == []
        for say in nodes.values():
            _until(lambda say=say: say("theirs-1", ready=True), lambda: bool(rivals))  # type: ignore[misc]
        _until(
            lambda: [say("theirs-1", ready=True) for say in nodes.values()],
            lambda: set(rivals) == set(NAMES),
        )
        assert ready == []
        _until(lambda: [say("ours-1", ready=True) for say in nodes.values()], lambda: bool(ready))
        observer._foreign.clear()
        rivals.clear()
        _until(lambda: nodes["decoder"]("theirs-2"), lambda: "decoder" in observer._foreign)
        _until(lambda: nodes["decoder"]("ours-3"), lambda: _instance(observer) == "ours-3")
        assert rivals == []
        assert ready == [True]


def _instance(observer: GraphObserver) -> str:
    return observer._ready["decoder"].instance


def _heard(observer: GraphObserver, name: str) -> bool:
    return name in observer._ready


def _until(act: Callable[[], object], condition: Callable[[], bool]) -> None:
    """Say it again until it was heard: the observer's ear is for what is said from now on."""

    def tried() -> bool:
        act()
        return condition()

    wait_until(tried, what="the observer to hear it")
