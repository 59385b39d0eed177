"""A node's log stays small, whatever is sent to it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.impl.rcutils_logger import RcutilsLogger

from avatar_nodes.nodes.base import limited_log
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.profile.settings import NodeSettings


class _Plain(AvatarNode[NodeSettings]):
    KIND = "plain"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    lines: list[str] = []
    monkeypatch.setattr(
        RcutilsLogger, "log", lambda self, message, *rest, **more: lines.append(message) or True
    )
    yield lines


def test_a_flood_of_long_errors_is_short(ros_context: rclpy.Context, written: list[str]) -> None:
    node = _Plain(context=ros_context)
    try:
        log = node.get_logger()
        for _ in range(5000):
            log.error("x" * 1_000_000)
            log.warning("y")  # another severity, from another line
        assert len(written) < 400
        assert max(len(line) for line in written) < 5000
        log.fatal("the reason of the end")
        assert written[-1] == "the reason of the end"
    finally:
        node.shut_down()


def test_what_libraries_log_is_limited_with_it(
    written: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    limited_log.limit_libraries()
    for _ in range(5000):
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logging.getLogger("quiet").info("of no interest")
    assert written[0] == "uvicorn.error: Invalid HTTP request received."
    assert len(written) < 400


def test_a_line_says_where_it_comes_from_and_has_its_severity(ros_context: rclpy.Context) -> None:
    node = _Plain(context=ros_context)
    try:
        for _ in range(2):
            assert node.get_logger().error("an error")
            assert node.get_logger().warning("a warning")
        places = [caller.file_path for caller in node.get_logger().contexts]
        assert set(places) == {__file__}
        assert len(places) == 2
    finally:
        node.shut_down()
