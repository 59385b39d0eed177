"""A station that stands still is found and started again, and `avatar health` says how it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.running_avatar import PATIENT_S, RunningAvatar
from support.tiny_model import write_tiny_model
from support.waiting import wait_until

pytest.importorskip("rclpy", exc_type=ImportError)


def _health() -> tuple[int, str]:
    """Exit code and line of `avatar health`."""
    done = subprocess.run(
        [sys.executable, "-m", "avatar_nodes.cli", "health"], capture_output=True, text=True,
        timeout=PATIENT_S, check=False,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return done.returncode, done.stdout


def _page_health(url: str) -> tuple[int, dict[str, Any]]:
    """Status and answer of the page's /healthz."""
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=PATIENT_S) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_station_that_stands_still_is_started_again(tmp_path: Path, ros_domain: int) -> None:
    profile = write_tiny_model(tmp_path)
    with profile.open("a", encoding="utf-8") as file:
        file.write(
            f"kiosk: {{enabled: true, port: 0, label: false}}\narchive: {{label: false, folder:"
            f" {tmp_path}}}\n"
        )
    avatar = RunningAvatar("--profile", profile)
    try:
        avatar.wait_for(r"avatar +\| ready")
        page = next(line for line in avatar.lines if "the page is at" in line)
        url = page.split("the page is at ")[1].strip()
        for name in ("denoiser_2", "decoder"):
            avatar.wait(lambda: _health()[0] == 0, "it was well")
            status, before = _page_health(url)
            assert (status, before["healthy"]) == (200, True)
            stopped = avatar.nodes()[name]
            os.kill(stopped.pid, signal.SIGSTOP)
            avatar.wait(lambda: _page_health(url)[0] == 503, "it was unwell")
            code, line = _health()
            assert code == 1
            assert line.startswith("unhealthy: ")
            assert name in line or "the picture" in line
            avatar.wait_for(rf"avatar +\| {name} has given no sign of life .* killing {name}")
            avatar.wait_for(rf"{name} was ended by SIGKILL; starting it again")
            avatar.wait(lambda: _page_health(url)[0] == 200, "it was well again")
            assert avatar.nodes()[name].pid != stopped.pid, "also a spare one shows its node"
            wait_until(_moved(url, before["block"]), what="another block")
            after = _page_health(url)[1]
            assert after["restarts"] == before["restarts"] + 1
        os.kill(avatar.process.pid, signal.SIGINT)
        assert avatar.end() == 0
    finally:
        avatar.process.kill()
        avatar.process.wait()
    code, line = _health()
    assert (code, line) == (1, "unhealthy: no supervisor tells how the avatar is\n")


def _moved(url: str, block: int) -> Callable[[], bool]:
    return lambda: _page_health(url)[1]["block"] > block
