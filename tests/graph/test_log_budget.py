"""The limits of a log."""

from __future__ import annotations

import io

from avatar_nodes.graph.log_budget import LogBudget, shortened
from avatar_nodes.graph.process_log import LineStream, ProcessLog


def test_lines_come_at_their_rate_and_what_is_left_out_is_said() -> None:
    budget = LogBudget(burst=3, per_s=2.0)
    at_once = [budget.admit(f"line {n}", now=5.0) for n in range(10)]
    assert [len(lines) for lines in at_once] == [1, 1, 1] + [0] * 7
    first, second = budget.admit("later", now=5.6)
    assert first.startswith("(7 lines were left out")
    assert second == "later"
    assert budget.admit("at once", now=5.6) == []
    assert budget.admit("the end", urgent=True, now=5.6)[-1] == "the end"
    hour = sum(len(budget.admit("x", now=6.0 + n / 1000)) for n in range(60_000))
    assert hour <= 60 * 2 * 2 + 3, "two lines a second, each with the number of those left out"


def test_a_long_line_keeps_its_ends_and_moves_no_cursor() -> None:
    text = shortened("a" * 1_000_000 + "the error", 100)
    assert len(text) < 200
    assert text.startswith("aaa")
    assert text.endswith("the error")
    assert "\x1b" not in shortened("\x1b[2Jgone\x9b1m\r", 100)
    assert shortened("two\n\tlines", 100) == "two\n\tlines"


def test_what_a_process_prints_is_limited_too() -> None:
    out = io.StringIO()
    log = ProcessLog(["kiosk"], out)
    stream = LineStream(lambda line: log.write("kiosk", line))
    stream.feed("stderr", b"x" * 5_000_000)
    stream.feed("stderr", b"y\n" * 100_000)
    assert len(out.getvalue()) < 200_000
    log.write("avatar", "the supervisor's own lines come through")
    assert out.getvalue().endswith("come through\n")
