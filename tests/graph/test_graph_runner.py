"""What a graph's run asks of the supervisor."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("rclpy", exc_type=ImportError)

from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.runner import GraphRunner
from avatar_nodes.profile import load_profile


@pytest.mark.parametrize(
    ("options", "patient"),
    [({"mode": "puppet"}, True), ({"mode": "render", "audio": "speech.wav"}, False)],
)
def test_a_live_avatar_waits_for_a_lost_disk_and_a_render_does_not(
    options: dict[str, Any], patient: bool
) -> None:
    graph = Graph.from_profile(load_profile("tiny"), **options)
    assert {child.patient for child in GraphRunner(graph)._children([])} == {patient}
