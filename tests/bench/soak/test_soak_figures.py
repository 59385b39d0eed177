"""What a soak counts, and what its accidents do."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from avatar_nodes.bench.soak.accidents import DiskIsFull, ProcessDies, ProcessHangs
from avatar_nodes.bench.soak.figures import AccidentReport, SoakFigures
from avatar_nodes.bench.soak.picture_watch import PictureWatch
from avatar_nodes.bench.turn.figures import TurnFigures

FRAME_S = 0.04


def test_the_picture_stands_when_its_frames_are_alike_or_do_not_come() -> None:
    watch = PictureWatch("/nobody")
    now_s = time.monotonic() - 10.0
    for number in range(50):
        watch.saw(number, now_s + FRAME_S * number)
    assert watch.longest_still() > 7.0, "it stands now"
    later_s = now_s + FRAME_S * 49 + 3.0
    watch.saw(49, later_s - 1.0)  # the same picture again
    watch.saw(50, later_s)
    watch.saw(51, later_s + 2.5)
    figures = watch.as_dict()
    assert figures["frames"] == 53 and figures["still_over_2s"] == 2
    assert figures["still_over_2s_total_s"] == pytest.approx(5.5)
    assert figures["still_s_max"] == pytest.approx(3.0)


def test_a_row_says_what_an_accident_cost_at_most() -> None:
    accidents = [
        AccidentReport("page reloaded", "", 0.1, 2.0),
        AccidentReport("process killed", "decoder", 1.5, 3.0),
        AccidentReport("process killed", "conductor", 2.5, 5.0),
        AccidentReport("process killed", "presenter", 60.0, None),
    ]
    turns = TurnFigures(steps=Counter(question=3, cough=1), unanswered=1)
    figures = SoakFigures(turns, accidents, {"frames": 7}, {"browsers": 1}).as_dict()
    assert figures["steps"] == 4 and figures["unanswered"] == 1
    assert figures["frames"] == 7 and figures["browsers"] == 1
    reloaded, killed = figures["accidents"]
    assert reloaded["accident"] == "page reloaded" and reloaded["not_back"] == 0
    assert killed == {
        "accident": "process killed", "times": 3, "not_back": 1,
        "back_s_p50": 4.0, "back_s_max": 5.0, "still_s_p50": 2.5, "still_s_max": 60.0,
    }  # fmt: skip
    assert "NOT BACK" in str(accidents[-1]) and "well after 3.0 s" in str(accidents[1])


@pytest.mark.parametrize("accident", [ProcessDies, ProcessHangs])
def test_one_of_the_processes_is_hit(accident: type[ProcessDies]) -> None:
    sleepers = {
        name: subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"])
        for name in ("one", "other")
    }
    try:
        pids = {name: sleeper.pid for name, sleeper in sleepers.items()}
        hit = accident(lambda: pids).happen(np.random.default_rng(0))
        if accident is ProcessHangs:
            deadline = time.monotonic() + 10.0
            while _state(pids[hit]) != "T" and time.monotonic() < deadline:
                time.sleep(0.01)
            assert _state(pids[hit]) == "T"
        else:
            assert sleepers[hit].wait(10.0) == -9
        others = [sleeper for name, sleeper in sleepers.items() if name != hit]
        assert [other.poll() for other in others] == [None]
    finally:
        for sleeper in sleepers.values():
            sleeper.kill()
            sleeper.wait()


def test_the_disk_is_full_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("avatar_nodes.bench.soak.accidents._FULL_S", 0.0)
    monkeypatch.setattr("avatar_nodes.bench.soak.accidents._PIECE", b"x" * 10)
    monkeypatch.setattr("time.sleep", lambda s: seen.append((tmp_path / "filled").stat().st_size))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))  # the disk's end
    try:
        DiskIsFull(tmp_path).happen(np.random.default_rng(0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert seen == [4096] and not list(tmp_path.iterdir())


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
