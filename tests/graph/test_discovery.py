"""An avatar keeps to this machine, unless somebody opens it; then it says what that means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from avatar_nodes.graph.discovery import RANGE, discovery_environment, exposure, stay_local

CLOSED, OPEN = {RANGE: "LOCALHOST"}, {RANGE: "SUBNET"}


def test_what_is_asked_goes_before_the_environment_and_that_before_the_profile() -> None:
    def chosen(opened: bool, asked: bool | None, **given: str) -> dict[str, str]:
        return discovery_environment(opened=opened, asked=asked, base=given)

    assert chosen(False, None) == chosen(True, False) == CLOSED
    assert chosen(True, None) == chosen(False, True) == OPEN
    assert chosen(True, None, **CLOSED) == chosen(False, None, **OPEN) == {}
    assert chosen(False, False, **OPEN) == CLOSED and chosen(False, True, **CLOSED) == OPEN


def test_an_open_avatar_is_warned_of_unless_security_is_enforced() -> None:
    for open_env in ({}, OPEN, {RANGE: "SYSTEM_DEFAULT"}, OPEN | {"ROS_SECURITY_ENABLE": "true"}):
        assert "whoever reaches this network" in exposure(open_env)
    enforced = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
    for safe in (CLOSED, {RANGE: "OFF"}, OPEN | enforced):
        assert exposure(safe) == ""


def test_staying_local_leaves_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RANGE, "SUBNET")
    stay_local()
    assert os.environ[RANGE] == "SUBNET"
    monkeypatch.delenv(RANGE)
    stay_local()
    assert os.environ[RANGE] == "LOCALHOST"


@pytest.mark.parametrize(
    ("options", "profile", "expected"),
    [([], "", "LOCALHOST"), (["--network"], "", "SUBNET"),
     ([], "network: {open: true}\n", "SUBNET"),
     (["--no-network"], "network: {open: true}\n", "LOCALHOST")],
)  # fmt: skip
def test_avatar_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], profile: str, expected: str
) -> None:
    pytest.importorskip("rclpy", reason="no ROS here")
    from avatar_nodes.commands.up import command
    from avatar_nodes.graph import runner

    ranges: list[str] = []

    def run(self: runner.GraphRunner) -> Any:
        ranges.append(os.environ[RANGE])
        return runner.Outcome(0, "over")

    monkeypatch.delenv(RANGE)
    monkeypatch.setattr(runner.GraphRunner, "run", run)
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: tiny\n{profile}")
    result = CliRunner().invoke(command, ["--profile", str(file), *options])
    assert result.exit_code == 0, result.output
    assert ranges == [expected]
    assert ("WARNING: ROS_AUTOMATIC" in result.output) is (expected == "SUBNET")
