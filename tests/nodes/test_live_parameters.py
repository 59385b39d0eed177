"""What may change while a node runs is set by its parameters, and holds at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter

from avatar_nodes.graph.graph import Graph
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.presenter import PresenterNode
from avatar_nodes.profile import load_profile
from avatar_nodes.sound.loudness import louder


def _set(node: AvatarNode[Any], **values: Any) -> str:
    """Why it cannot be; empty: it is done."""
    changes = [Parameter(name, value=value) for name, value in values.items()]
    (done,) = node.set_parameters(changes)
    return "" if done.successful else done.reason or "no reason"


@pytest.fixture
def presenter(ros_context: rclpy.Context) -> Iterator[PresenterNode]:
    settings = Graph.from_profile(load_profile("tiny")).nodes[-1].settings
    values = settings.parameters() | {"autostart": False}
    node = PresenterNode(
        context=ros_context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    node.trigger_configure()
    yield node
    node.shut_down()


def test_pictures_change_while_they_are_shown(presenter: PresenterNode) -> None:
    blank = np.zeros((256, 256, 3), np.uint8)
    assert _set(presenter, jpeg_quality=30) == ""
    assert presenter.settings.jpeg_quality == 30
    assert not presenter._marker.mark(blank).any()
    assert _set(presenter, label=True) == ""
    assert presenter._marker.mark(blank).any()


def test_what_cannot_be_is_refused_and_changes_nothing(presenter: PresenterNode) -> None:
    before = presenter.settings
    assert _set(presenter, jpeg_quality=101)
    assert _set(presenter, width=512), "that is the graph's own, and read only"
    assert "mark_corner: expected one of" in _set(presenter, mark_corner="middle")
    assert presenter.settings == before
    assert presenter.get_parameter("mark_corner").value == "bottom_right"


def test_every_node_has_a_log_level(presenter: PresenterNode) -> None:
    assert _set(presenter, log_level="error") == ""
    assert presenter.get_logger().get_effective_level() == LoggingSeverity.ERROR
    assert _set(presenter, log_level="default") == ""
    assert presenter.get_logger().get_effective_level() != LoggingSeverity.ERROR


def test_a_volume_is_loudness() -> None:
    sound = np.array([100, -20_000, 20_000], np.int16)
    assert louder(sound, 1.0) is sound
    assert louder(sound, 0.5).tolist() == [50, -10_000, 10_000]
    assert louder(sound, 2.0).tolist() == [200, -32_768, 32_767]
    assert louder(sound, 0.0).dtype == np.int16
