"""What a node makes of an exception is told by its type: in `setup` and in a callback."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import rclpy
from support.settings import overrides_of

from avatar_nodes.denoising.stage import StageError
from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.nodes.base.lifecycle_node import EXIT_FAILED, AvatarNode
from avatar_nodes.nodes.presenter import PresenterNode
from avatar_nodes.presenting.settings import PresenterSettings


class _Failing(AvatarNode):
    KIND = "failing"
    error: Exception | None = None

    def setup(self) -> None:
        if self.error is not None:
            raise self.error

    def raises(self, error: Exception) -> None:
        """As a callback that raises it."""

        def callback(_: object) -> None:
            raise error

        self._guarded("topic", callback)(None)


@pytest.fixture
def make(ros_context: rclpy.Context) -> Iterator[Callable[..., _Failing]]:
    made: list[_Failing] = []

    def node(error: Exception | None = None) -> _Failing:
        made.append(_Failing(context=ros_context))
        made[-1].error = error
        made[-1].autostart()
        return made[-1]

    yield node
    for one in made:
        one.shut_down()


@pytest.mark.parametrize(
    ("error", "code"),
    [(StageError("steps"), EXIT_MISCONFIGURED), (RefusedError("shape", "x"), EXIT_FAILED),
     (ValueError("bug"), EXIT_FAILED)],
)  # fmt: skip
def test_the_exit_code_of_a_setup(
    make: Callable[..., _Failing], error: Exception, code: int
) -> None:
    assert make(error).exit_code == code


def test_a_refusal_costs_a_message_and_a_failure_the_epoch(make: Callable[..., _Failing]) -> None:
    node = make()
    node.hold_epoch(7, "working")
    node.raises(RefusedError("shape", "another shape"))
    node.raises(LeftoverError("stale", "block 3"))
    assert (node.heartbeat.condition.ready, node.heartbeat.condition.epoch) == (True, 7)
    node.raises(RuntimeError("no\nmemory"))
    lost = node.heartbeat.condition
    assert (lost.ready, lost.epoch, lost.failed) == (False, 0, True)
    assert lost.detail == "topic: no; memory"
    assert node.telemetry.rejections == {"shape": 1, "stale": 1, "internal": 1}
    node.hold_epoch(8, "working")
    again = node.heartbeat.condition
    assert (again.ready, again.epoch, again.failed) == (True, 8, False)


def test_a_node_that_holds_no_epoch_has_none_to_lose(make: Callable[..., _Failing]) -> None:
    node = make()
    before = node.heartbeat.condition
    node.raises(RuntimeError("bug"))
    assert node.heartbeat.condition == before


def test_a_presenter_whose_clock_fails_ends(
    ros_context: rclpy.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: PresenterNode) -> None:
        raise RuntimeError("out of time")

    monkeypatch.setattr(PresenterNode, "_keep_time", fails)
    overrides = overrides_of(PresenterSettings(width=64, height=64))
    node = PresenterNode(context=ros_context, parameter_overrides=overrides)
    try:
        node.trigger_configure()
        node._play()
        assert node.exit_code == EXIT_FAILED
    finally:
        node.shut_down()
