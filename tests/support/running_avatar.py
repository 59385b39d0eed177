"""`avatar up` in a process of a test."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

PATIENT_S = 600.0
"""A machine may be busy; nothing here is about speed."""


class RunningAvatar:
    """`avatar up` in a process of its own, and what it says."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "avatar_nodes.cli", "up", *map(str, arguments)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(iter(self.process.stderr.readline, ""))

    def wait_for(self, pattern: str) -> None:
        """Until a line has `pattern`; a line once waited for counts."""
        self.wait(lambda: any(re.search(pattern, line) for line in list(self.lines)), pattern)

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Until `condition`, unless the avatar has ended before."""
        deadline = time.monotonic() + PATIENT_S
        while not condition():
            said = "".join(self.lines)
            assert self.process.poll() is None, f"ended before {what}:\n{said}"
            assert time.monotonic() < deadline, f"never {what}:\n{said}"
            time.sleep(0.05)

    def nodes(self) -> dict[str, psutil.Process]:
        """Its children by the name of their node; those that are no node yet are left out."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            words: list[str] = []
            with suppress(psutil.NoSuchProcess):  # it has just ended
                words = child.cmdline()
            names = [word for word in words if word.startswith("__node:=")]
            if names and "tied_process.py" not in " ".join(words):
                found[names[0].removeprefix("__node:=")] = child
        return found

    def end(self) -> int:
        """The exit code, once all is over."""
        try:
            code = self.process.wait(PATIENT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it never ended:\n{''.join(self.lines[-50:])}") from None
        self._reader.join()
        return code
