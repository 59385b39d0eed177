"""The supervisor, with small real processes as children."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from avatar_nodes.graph.process_log import LineStream, ProcessLog
from avatar_nodes.graph.restart_policy import RestartPolicy
from avatar_nodes.graph.supervisor import NAME, Child, Outcome, Supervisor
from avatar_nodes.profile.supervision import RestartSection

PATIENT_S = 120.0  # a machine may be busy; nothing here is about speed
FAST = RestartSection(delay_s=0.01, max_delay_s=0.05, max_restarts=3, grace_s=PATIENT_S)

# Notes its end, as a node does on SIGINT.
SLEEPER = """
import sys, time
try:
    print("up", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    with open(sys.argv[2], "a") as ends:
        ends.write(sys.argv[1] + "\\n")
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


def _child(name: str, code: str, *arguments: object, **options: bool) -> Child:
    command = [sys.executable, "-I", "-S", "-c", code, *map(str, arguments)]
    return Child(name, command, **options)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.01)


class Run:
    """A supervisor at work on the main thread, with a script that acts on it from another."""

    def __init__(self, *children: Child, settings: RestartSection = FAST) -> None:
        self.out = io.StringIO()
        log = ProcessLog([child.name for child in children], self.out)
        self.waiting_for: str | None = None
        self.supervisor = Supervisor(children, settings, log)

    def __call__(self, script: Callable[[Run], None] | None = None) -> Outcome:
        failures: list[BaseException] = []

        def act() -> None:
            try:
                assert script is not None
                script(self)
            except BaseException as failure:
                failures.append(failure)
                self.supervisor.stop("the script failed", 99)

        thread = threading.Thread(target=act)
        if script is not None:
            thread.start()
        outcome = self.supervisor.run()
        if script is not None:
            thread.join()
        if failures:
            raise failures[0]
        assert not self.supervisor.pids
        return outcome

    def lines(self, name: str) -> list[str]:
        """What the child `name` has said."""
        pairs = [line.split(" | ", 1) for line in self.out.getvalue().splitlines()]
        return [text for prefix, text in pairs if prefix.strip() == name]


def test_children_stop_one_after_the_other_in_their_order(tmp_path: Path) -> None:
    ends = tmp_path / "ends"
    names = ["microphone", "conductor", "presenter"]
    run = Run(*(_child(name, SLEEPER, name, ends) for name in names))

    def script(run: Run) -> None:
        _wait_until(lambda: all(run.lines(name) == ["up"] for name in names))
        run.supervisor.stop("enough")

    assert run(script) == Outcome(0, "enough")
    assert ends.read_text().split() == names


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(tmp_path: Path, number: signal.Signals) -> None:
    run = Run(_child("one", SLEEPER, "one", tmp_path / "ends"))

    def script(run: Run) -> None:
        _wait_until(lambda: run.lines("one") == ["up"])
        os.kill(os.getpid(), number)

    assert run(script) == Outcome(0, f"stopped by {number.name}")
    assert (tmp_path / "ends").read_text() == "one\n"


def test_one_that_will_not_end_is_killed() -> None:
    run = Run(_child("stubborn", STUBBORN), settings=RestartSection(grace_s=0.2))

    def script(run: Run) -> None:
        _wait_until(lambda: run.lines("stubborn") == ["up"])
        run.supervisor.stop("enough")

    assert run(script).exit_code == 0


def test_one_that_was_killed_is_started_again_and_no_other_is(tmp_path: Path) -> None:
    run = Run(*(_child(name, SLEEPER, name, tmp_path / "ends") for name in ("a", "b")))

    def script(run: Run) -> None:
        _wait_until(lambda: run.lines("a") == run.lines("b") == ["up"])
        before = run.supervisor.pids
        os.kill(before["a"], signal.SIGKILL)
        _wait_until(lambda: run.lines("a") == ["up", "up"])
        after = run.supervisor.pids
        assert after["a"] != before["a"]
        assert after["b"] == before["b"]
        run.supervisor.stop("enough")

    assert run(script) == Outcome(0, "enough")
    assert run.supervisor.restarts == {"a": 1, "b": 0}
    assert run.lines("avatar") == ["a was ended by SIGKILL; starting it again in 0.0 s"]


class _FullDisk(io.StringIO):
    """Where no line can be written."""

    def write(self, text: str, /) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


class _ShyLog(ProcessLog):
    """Has no word of the supervisor's own."""

    def write(self, name: str, line: str) -> None:
        if name == NAME:
            raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("log", [ProcessLog(["a"], _FullDisk()), _ShyLog(["a"], io.StringIO())])
def test_one_that_was_killed_is_started_again_though_it_cannot_be_said(
    tmp_path: Path, log: ProcessLog
) -> None:
    supervisor = Supervisor([_child("a", SLEEPER, "a", tmp_path / "ends")], FAST, log)

    def script() -> None:
        _wait_until(lambda: "a" in supervisor.pids)
        before = supervisor.pids["a"]
        os.kill(before, signal.SIGKILL)
        try:
            _wait_until(lambda: supervisor.pids.get("a", before) != before)
        finally:
            supervisor.stop("enough")

    thread = threading.Thread(target=script)
    thread.start()
    assert supervisor.run() == Outcome(0, "enough")
    thread.join()
    assert supervisor.restarts == {"a": 1}


def test_one_that_keeps_failing_ends_the_run_and_its_last_words_are_kept() -> None:
    code = "import sys; print('hello'); sys.exit('cannot go on')"
    run = Run(_child("broken", code))
    assert run() == Outcome(1, "broken ended with exit code 1, after 3 restarts within 60 s")
    assert sorted(run.lines("broken")) == ["cannot go on"] * 4 + ["hello"] * 4
    assert run.supervisor.restarts == {"broken": 3}


def test_the_last_line_is_kept_without_a_line_end_and_a_long_one_cut() -> None:
    code = "import sys; sys.stdout.write('x' * 200000 + '\\nlast'); sys.exit(3)"
    run = Run(_child("wordy", code, respawn=False))
    assert run() == Outcome(1, "wordy ended with exit code 3")
    *long, last = run.lines("wordy")
    assert last == "last"
    assert len(long) >= 12, "in pieces of 16 kB and more"
    assert all(line.startswith("x" * 1000) and len(line) < 5000 for line in long), "each cut"


def test_wrong_configuration_ends_the_run_at_once(tmp_path: Path) -> None:
    other = _child("other", SLEEPER, "other", tmp_path / "ends")
    run = Run(other, _child("denoiser_1", "raise SystemExit(78)"))
    reason = "denoiser_1 cannot start: it found its configuration wrong (exit code 78)"
    assert run() == Outcome(1, reason)
    assert run.supervisor.restarts == {"other": 0, "denoiser_1": 0}


# Cannot work while a folder is not there, as a recorder whose disk was taken away.
NEEDY = """
import os, sys, time
if not os.path.exists(sys.argv[1]):
    sys.exit(78)
print("up", flush=True)
time.sleep(600)
"""


def test_what_has_run_waits_for_its_disk_however_long_it_takes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    run = Run(_child("archive", NEEDY, disk))

    def script(run: Run) -> None:
        _wait_until(lambda: run.lines("archive") == ["up"])
        run.supervisor.mark_ready()
        disk.rmdir()
        os.kill(run.supervisor.pids["archive"], signal.SIGKILL)
        _wait_until(lambda: run.supervisor.restarts["archive"] > 2 * FAST.max_restarts)
        disk.mkdir()
        _wait_until(lambda: run.lines("archive") == ["up", "up"])
        run.supervisor.stop("enough")

    assert run(script) == Outcome(0, "enough")
    assert run.lines("avatar") == [
        "archive was ended by SIGKILL; starting it again in 0.0 s",
        "archive found its configuration wrong (exit code 78), though it has run; trying again"
        " every 0.05 s",
    ]


def test_work_that_has_an_end_does_not_wait_for_ever(tmp_path: Path) -> None:
    run = Run(_child("decoder", NEEDY, tmp_path / "no", patient=False))
    run.supervisor.mark_ready()
    how = "found its configuration wrong (exit code 78)"
    assert run() == Outcome(1, f"decoder {how}, after 3 restarts within 60 s")


def test_a_program_that_is_not_there_is_named() -> None:
    run = Run(Child("ghost", ["/no/such/program"], respawn=False))
    assert run() == Outcome(1, "ghost ended with exit code 1")
    assert run.lines("ghost") == ["/no/such/program: No such file or directory"]


def test_before_readiness_an_end_is_a_failed_start() -> None:
    code = "import time; time.sleep(0.1); raise SystemExit(1)"
    supervisor = Supervisor([_child("a", code)], FAST, waiting_for=lambda: "a")
    assert supervisor.run() == Outcome(1, "a cannot start: it ended with exit code 1")


def test_a_start_that_takes_too_long_says_what_is_missing(tmp_path: Path) -> None:
    settings = RestartSection(start_timeout_s=0.3)
    child = _child("a", SLEEPER, "a", tmp_path / "ends")
    supervisor = Supervisor([child], settings, waiting_for=lambda: "waiting for a")
    assert supervisor.run() == Outcome(1, "not ready within 0.3 s: waiting for a")


def test_readiness_may_come_from_another_thread(tmp_path: Path) -> None:
    settings = RestartSection(start_timeout_s=PATIENT_S, delay_s=0.01)
    child = _child("a", SLEEPER, "a", tmp_path / "ends")
    supervisor = Supervisor([child], settings, waiting_for=lambda: "a")

    def script() -> None:
        _wait_until(lambda: "a" in supervisor.pids)
        supervisor.mark_ready()
        os.kill(supervisor.pids["a"], signal.SIGKILL)
        _wait_until(lambda: supervisor.restarts["a"] == 1 and "a" in supervisor.pids)
        supervisor.stop("enough")

    thread = threading.Thread(target=script)
    thread.start()
    assert supervisor.run() == Outcome(0, "enough")
    thread.join()


def test_the_start_s_time_limit_is_nothing_to_those_who_are_ready(tmp_path: Path) -> None:
    settings = RestartSection(start_timeout_s=0.05)
    child = _child("a", SLEEPER, "a", tmp_path / "ends")
    supervisor = Supervisor([child], settings, waiting_for=lambda: "a")
    supervisor.mark_ready()

    def script() -> None:
        _wait_until(lambda: "a" in supervisor.pids)
        time.sleep(0.5)
        supervisor.stop("enough")

    thread = threading.Thread(target=script)
    thread.start()
    assert supervisor.run() == Outcome(0, "enough")
    thread.join()


def test_the_work_is_done_when_the_recorder_is(tmp_path: Path) -> None:
    run = Run(
        _child("feeder", SLEEPER, "feeder", tmp_path / "ends"),
        _child("recorder", "pass", respawn=False, ends_run=True),
    )
    assert run() == Outcome(0, "recorder is done", finished=True)


def test_a_recorder_that_fails_is_no_success() -> None:
    run = Run(_child("recorder", "raise SystemExit(1)", respawn=False, ends_run=True))
    assert run() == Outcome(1, "recorder ended with exit code 1")


def test_nothing_outlives_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "supervise.py"
    script.write_text(
        "import sys\n"
        "from avatar_nodes.profile.supervision import RestartSection\n"
        "from avatar_nodes.graph.supervisor import Child, Supervisor\n"
        f"child = [sys.executable, '-I', '-S', '-c', {STUBBORN!r}]\n"
        "Supervisor([Child('a', child), Child('b', child)], RestartSection()).run()\n"
    )
    supervisor = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.PIPE)
    try:
        assert supervisor.stderr is not None
        for _ in range(2):
            assert supervisor.stderr.readline().endswith(b"| up\n")
        children = psutil.Process(supervisor.pid).children()
        assert len(children) == 2
    finally:
        supervisor.kill()
        supervisor.communicate()
    gone, alive = psutil.wait_procs(children, timeout=PATIENT_S)
    assert (len(gone), alive) == (2, [])


def test_two_supervisors_at_the_same_time_do_not_meet(tmp_path: Path) -> None:
    inner = (
        "from avatar_nodes.profile.supervision import RestartSection\n"
        "from avatar_nodes.graph.supervisor import Child, Supervisor\n"
        "import sys\n"
        "done = Child('c', [sys.executable, '-c', 'pass'], respawn=False, ends_run=True)\n"
        "sys.exit(Supervisor([done], RestartSection()).run().exit_code)\n"
    )
    nested = Child("nested", [sys.executable, "-c", inner], respawn=False, ends_run=True)
    assert Run(nested)() == Outcome(0, "nested is done", finished=True)


def test_back_off_doubles_up_to_a_limit_and_forgets() -> None:
    settings = RestartSection(delay_s=1.0, max_delay_s=3.0, max_restarts=4, window_s=100.0)
    policy = RestartPolicy(settings)
    assert [policy.next_delay(t) for t in (0.0, 1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0, 3.0]
    assert policy.next_delay(4.0) is None
    assert policy.next_delay(101.5) == 3.0  # the first two are out of the window
    assert policy.next_delay(300.0) == 1.0


def test_lines_are_put_together_from_chunks() -> None:
    lines: list[str] = []
    stream = LineStream(lines.append)
    stream.feed("stdout", b"one\ntw")
    stream.feed("stderr", b"err")
    stream.feed("stdout", "o\nthr\u00e9".encode()[:-1])
    stream.feed("stdout", "\u00e9".encode()[1:] + b"e\r\n50%\r100%\n")
    assert lines == ["one", "two", "thr\u00e9e", "100%"]
    stream.close()
    assert lines[-1] == "err"


def test_the_exit_code_of_a_process_with_many_threads_is_known() -> None:
    code = (
        "import os, threading, time\n"
        "for _ in range(200):\n"
        "    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "block = bytearray(300_000_000)\n"
        "os._exit(7)\n"
    )
    run = Run(_child("crowd", code), settings=RestartSection(delay_s=0.0, max_restarts=5))
    assert run() == Outcome(1, "crowd ended with exit code 7, after 5 restarts within 60 s")
