"""The tests' own tools: what they start ends, and what they reserve is theirs alone."""

from __future__ import annotations

import sys
from pathlib import Path

from support.process_group import ProcessGroup, group_is_alive
from support.ros_domain import reserved_domain
from support.spinner import wait_until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print("started", flush=True)
time.sleep(60)
"""


def test_stubborn_process_and_its_child_end_with_the_group(tmp_path: Path) -> None:
    with ProcessGroup(tmp_path, patience=0.2) as group:
        child = group.start([sys.executable, "-c", STUBBORN], name="stubborn")
        wait_until(lambda: "started" in group.log("stubborn"), what="the process printed")
        assert group_is_alive(child)
    wait_until(lambda: not group_is_alive(child), what="the group is gone")


def test_domains_of_two_tests_differ() -> None:
    with reserved_domain() as mine, reserved_domain() as yours:
        assert mine != yours
