"""A spare process, with small programs in its place; and the real one."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from support.waiting import wait_until

from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.graph.environment import child_environment
from avatar_nodes.graph.process_command import spare_command
from avatar_nodes.graph.process_log import ProcessLog
from avatar_nodes.graph.supervisor import Child, Outcome, Supervisor
from avatar_nodes.graph.warm_spare import WarmSpare
from avatar_nodes.profile.supervision import RestartSection

SPARE = """
import json, os, socket, sys
channel = socket.socket(fileno=0)
channel.sendall(b"1")
order = json.loads(channel.makefile("rb").readline() or sys.exit(0))
print("spare", os.getpid(), "is", order["command"][-1], order["environment"]["NAME"], flush=True)
import time; time.sleep(600)
"""
SLEEPER = "import os, time; print('cold', os.getpid(), flush=True); time.sleep(600)"
COMMAND = [sys.executable, "-I", "-S", "-c", SPARE]


@pytest.fixture
def spare() -> object:
    spare = WarmSpare(COMMAND, dict(os.environ))
    yield spare
    spare.stop()


def test_it_waits_and_becomes_what_it_is_told(spare: WarmSpare) -> None:
    assert spare.take(["a"], {"NAME": "x"}) is None
    spare.start()
    wait_until(lambda: spare.ready, what="it is ready")
    pid = spare.pid
    spare.start()
    assert spare.pid == pid, "one is enough"
    process = spare.take(["python", "decoder"], {"NAME": "x"})
    assert process is not None and process.pid == pid
    assert process.stdout.readline() == f"spare {pid} is decoder x\n".encode()
    assert (spare.pid, spare.ready) == (None, False)
    assert spare.take(["a"], {}) is None
    process.kill()
    process.wait()


def test_one_that_has_died_is_none(spare: WarmSpare) -> None:
    spare.start()
    wait_until(lambda: spare.ready, what="it is ready")
    assert spare.pid is not None
    os.kill(spare.pid, signal.SIGKILL)
    wait_until(lambda: spare.pid is None, what="it has ended")
    assert not spare.ready
    assert spare.take(["a"], {}) is None
    spare.start()
    wait_until(lambda: spare.ready, what="another one")


def test_the_supervisor_puts_it_in_the_place_of_one_that_ended(spare: WarmSpare) -> None:
    out = io.StringIO()
    environment = {**os.environ, "NAME": "second"}
    child = Child("decoder", [sys.executable, "-I", "-S", "-c", SLEEPER], environment, warm=True)
    supervisor = Supervisor(
        [child], RestartSection(delay_s=0.01), ProcessLog(["decoder"], out), spare=spare
    )
    seen: list[int] = []

    def watch(pids: object) -> None:
        """Kill it twice: for the second time there is no spare yet."""
        spare.start()
        pid = supervisor.pids.get("decoder")
        if pid is not None and pid not in seen and (spare.ready or len(seen) == 2):
            seen.append(pid)
            if len(seen) == 3:
                supervisor.stop("enough")
            else:
                os.kill(pid, signal.SIGKILL)

    supervisor._watch_progress = watch  # type: ignore[assignment]
    assert supervisor.run() == Outcome(0, "enough")
    assert supervisor.restarts == {"decoder": 2}
    lines = [line.partition(" | ")[2] for line in out.getvalue().splitlines()]
    assert f"cold {seen[0]}" in lines
    assert any(line.startswith(f"spare {seen[1]} is {SLEEPER[:20]}") for line in lines)
    assert spare.pid is None, "it ends with all others"
    time.sleep(0.1)
    assert not any(Path(f"/proc/{pid}").exists() for pid in seen)


def test_the_real_one_runs_a_node_s_command() -> None:
    pytest.importorskip("rclpy", exc_type=ImportError)
    environment = child_environment() | {"OMP_NUM_THREADS": "1"}
    spare = WarmSpare(spare_command(["presenter"]), environment)
    spare.start()
    wait_until(lambda: spare.ready, what="it has imported everything")
    command = [sys.executable, "-m", "avatar_nodes.nodes.container", "--nodes", "x:nothing"]
    process = spare.take(command, environment)
    assert process is not None
    assert process.wait(120.0) == EXIT_MISCONFIGURED
    assert b"'x:nothing': expected NAME:KIND" in process.stderr.read()
