"""`avatar bench graph`: a short run of the real graph and the loop, and its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_model import write_tiny_model

pytest.importorskip("rclpy", exc_type=ImportError)


def test_it_measures_both_in_one_run(ros_domain: int, tmp_path: Path) -> None:
    profile = write_tiny_model(tmp_path)
    figures = tmp_path / "new" / "figures.json"
    command = [sys.executable, "-m", "avatar_nodes.cli", "bench", "graph", "--profile", profile]
    done = subprocess.run(
        [*command, "--blocks", "6", "--json", figures],
        capture_output=True,
        text=True,
        timeout=600.0,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(figures.read_text())
    assert result["graph_fps"] > 0
    assert result["in_process_fps"] == max(result["in_process_fps_by_threads"].values()) > 0
    assert {"denoiser_1", "denoiser_2", "decoder"} <= set(result["stage_ms"])
    assert 0 < result["hop_ms_p50"] <= result["hop_ms_p99"]
    assert set(result["processes"]) == {
        "microphone", "conductor", "denoiser_1", "denoiser_2", "decoder", "presenter",
    }  # fmt: skip
    for usage in result["processes"].values():
        assert 0 < usage["uss_mib"] <= usage["pss_mib"] <= usage["rss_mib"]
    shares = [usage["pss_mib"] for usage in result["processes"].values()]
    assert result["pss_mib"] == pytest.approx(sum(shares))
    assert result["machine"]["cores"] >= 1
    assert f"{result['graph_fps']:.2f} frames/s" in done.stdout
