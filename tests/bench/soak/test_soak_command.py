"""`avatar bench soak`: what it prints and writes; what is run is a fake."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("rclpy")

from avatar_nodes.bench.soak import accidents, benchmark
from avatar_nodes.bench.soak.accidents import AccidentError, ClockIsSet
from avatar_nodes.bench.soak.benchmark import SoakBenchmark, SoakSettings
from avatar_nodes.bench.soak.figures import AccidentReport, SoakFigures
from avatar_nodes.bench.turn.figures import TurnFigures
from avatar_nodes.commands.bench.soak import command
from avatar_nodes.profile import load_profile

REPORTS = [
    AccidentReport("page reloaded", "", 0.1, 2.0),
    AccidentReport("process killed", "presenter", 60.0, None),
]


class FakeSoak:
    """Gives figures at once."""

    asked: dict[str, Any]

    def __init__(
        self, profile: object, questions: list[Any], settings: SoakSettings, **more: Any
    ) -> None:
        FakeSoak.asked = {"settings": settings, "questions": len(questions), **more}

    def run(self) -> SoakFigures:
        FakeSoak.asked["tell"]("page reloaded: well after 2.0 s")
        turns = TurnFigures(steps=Counter(question=3, cough=1), unanswered=1)
        return SoakFigures(turns, REPORTS, {"frames": 7}, {"page_live_share": None})


def test_the_tables_and_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "SoakBenchmark", FakeSoak)
    file = tmp_path / "deep" / "soak.json"
    words = ["--hours", "0.5", "--every", "9", "--no-microphone", "--no-browser", "--seed", "3"]
    result = CliRunner().invoke(command, [*words, "--json", str(file)])
    assert result.exit_code == 0, result.output
    assert FakeSoak.asked["settings"] == SoakSettings(1800.0, 9.0, 3)
    assert FakeSoak.asked["questions"] and FakeSoak.asked["server"] is None
    assert not FakeSoak.asked["browser"]
    lines = result.output.splitlines()
    assert "| page reloaded | 1 | 0 | 2.0 | 2.0 | 0.1 | 0.1 |" in lines
    assert "| process killed | 1 | 1 | - | - | 60.0 | 60.0 |" in lines
    assert {"| steps | 4 |", "| unanswered | 1 |", "| page_live_share | - |"} <= set(lines)
    assert not any(line.startswith(("| each", "| machine")) for line in lines)
    written = json.loads(file.read_text())
    assert written["profile"] == "tiny" and written["frames"] == 7
    assert written["each"][1] == {
        "kind": "process killed", "what": "presenter", "still_s": 60.0, "back_s": None,
    }  # fmt: skip


def test_a_clock_that_may_not_be_set_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(clock: int, to_s: float) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(accidents.time, "clock_settime", refuse)
    with pytest.raises(AccidentError, match="--set-clock"):
        ClockIsSet()
    words = ["--no-microphone", "--no-browser", "--set-clock"]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 1 and "run as root" in result.output


def test_accidents_go_on_after_one_that_cannot_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    soak = SoakBenchmark(
        load_profile("tiny"), [], SoakSettings(1.0, every_s=0.0), namespace="/nobody",
        server=None, browser=False, tell=said.append,
    )  # fmt: skip

    def happens(accident: accidents.Accident, rng: object) -> AccidentReport:
        if accident.kind == "process killed":
            raise AccidentError("there is no process that could be hit")
        if len(said) >= 4:
            soak._over.set()
        return AccidentReport(accident.kind, "decoder", 0.1, 1.0)

    monkeypatch.setattr(soak, "_watch_through", happens)
    soak._work(None)  # type: ignore[arg-type]
    assert any("it did not happen: there is no process" in line for line in said)
    assert any("process stopped decoder: well after 1.0 s" in line for line in said)
