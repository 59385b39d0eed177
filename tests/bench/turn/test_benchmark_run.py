"""The benchmark of turns with a whole graph: every kind of step, and its end by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest
from support.process_group import ProcessGroup
from support.tiny_checkpoint import write_tiny_profile
from support.waiting import wait_until

from avatar_nodes.bench.turn.benchmark import TurnBenchmark
from avatar_nodes.bench.turn.script import BARGE_INS, Step, StepKind
from avatar_nodes.client.scripted_conversation import visited_graph
from avatar_nodes.profile import load_profile
from avatar_nodes.profile.resources import share_path
from avatar_nodes.sound.audio_file import read_audio_file

pytest.importorskip("rclpy", reason="no ROS here")

PROCESSES = (
    "ears: [microphone, listener], mind: [reasoner, voice, timeline],"
    " body: [conductor, denoiser_1, denoiser_2, decoder, presenter]"
)


def test_every_kind_of_step_leaves_the_avatar_at_rest(checkpoint: Path, tmp_path: Path) -> None:
    profile = load_profile(write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES))
    question = read_audio_file(share_path("samples", "visitor", "1_robot.wav"))
    lines: list[str] = []
    steps = [Step(kind, number) for number, kind in enumerate(StepKind)]
    benchmark = TurnBenchmark(
        visited_graph(profile, namespace=f"/test_{os.getpid()}"), [question], steps,
        tell=lines.append, pictures=True, log_level="warn",
    )  # fmt: skip
    found = benchmark.run().as_dict()
    print("\n".join(lines))
    assert len(lines) == len(steps) == sum(found["steps"].values())
    assert found["complete"] and found["turns"] >= 7 and found["answered"] >= 5
    assert (found["stuck"], found["unanswered"], found["refused"], found["restarts"]) == (0,) * 4
    assert set(found["barge_ins"]) == set(BARGE_INS.values())
    for meant, seen in found["barge_ins"].items():
        assert (seen["count"], seen["noticed"]) == (1, 1), meant
    assert found["barge_ins"]["speaking"]["held"] == 1
    assert found["interruptions"] >= 1 and found["barge_in_ignored"] == 0
    assert found["barge_in_leaked_samples"] < 8000, "on a busy machine orders are late, too"
    assert found["barge_in_sound_ms_max"] < 1000.0
    assert found["sync"]["pairs"] > 500 and found["sync"]["unpaired"] == 0
    assert set(found["memory_mib"]) == {"ears", "mind", "body", "total"}
    assert len(found["memory_samples_mib"]["total"]) == 1 + len(steps)
    for name, sizes in found["memory_mib"].items():
        assert all(size > 50.0 for size in sizes.values()), name


def test_ctrl_c_ends_it_with_the_figures_so_far(
    checkpoint: Path, tmp_path: Path, processes: ProcessGroup
) -> None:
    profile = write_tiny_profile(tmp_path, checkpoint, processes=PROCESSES)
    file = tmp_path / "turns.json"
    run = processes.start(
        [sys.executable, "-m", "avatar_nodes.cli", "bench", "turn", "--profile", profile,
         "--turns", "500", "--json", file],
        name="bench",
    )  # fmt: skip
    wait_until(
        lambda: "\n2/500" in processes.log("bench") or run.poll() is not None, what="two turns"
    )
    run.send_signal(signal.SIGINT)
    wait_until(lambda: run.poll() is not None, what="the end", seconds=60.0)
    log = processes.log("bench")
    assert run.returncode == 0, log
    assert "the figures are those of the steps so far" in log and "Traceback" not in log
    found = json.loads(file.read_text())
    assert not found["complete"] and found["answered"] >= 2 and found["stuck"] == 0
    assert found["steps"] == {"question": 2}
