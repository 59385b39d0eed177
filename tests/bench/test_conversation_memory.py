"""`avatar bench graph --memory`: a short conversation, and what its processes hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.tiny_checkpoint import write_tiny_profile

from avatar_nodes.cli import main

pytest.importorskip("rclpy", reason="no ROS here")

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)


def test_it_measures_every_process_after_an_answer(
    ros_domain: int, checkpoint: Path, tmp_path: Path
) -> None:
    profile = write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)
    file = tmp_path / "memory.json"
    arguments = ["bench", "graph", "--memory", "--profile", str(profile), "--json", str(file)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    result = json.loads(file.read_text())
    assert set(result["processes"]) == {"ears", "mind", "body"}
    assert result["processes"]["mind"]["nodes"] == ["reasoner", "voice", "timeline"]
    for process in result["processes"].values():
        assert 0 < process["uss_mib"] <= process["pss_mib"] <= process["rss_mib"]
    shares = [process["pss_mib"] for process in result["processes"].values()]
    assert result["pss_mib"] == pytest.approx(sum(shares))
    assert "visitor: " in done.output and "avatar: " in done.output
