"""Runs node processes forked from one that has imported what they need.

A graph's processes spend most of their processor time on imports; a suite that starts a hundred
graphs would import torch for ten minutes. What runs, in a session and with an environment and a log
of its own, is the node's `main`, as after `python -m`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

_NODES = "avatar_nodes.nodes."
_STARTED_S = 120.0
_BEFORE_TORCH = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
"""OpenMP reads it when torch is imported; nodes set their own number of threads later."""


class ForkedProcess:
    """`python -m avatar_nodes.nodes.NODE ...`, forked; the part of `subprocess.Popen` that tests
    use.
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], log: Path) -> None:
        assert command[1] == "-m" and command[2].startswith(_NODES), command
        self.args = list(command)
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["support.imported_nodes"])
        began, says_so = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_become, args=(list(command[2:]), dict(env), str(log), says_so, os.getpid())
        )
        with pytest.MonkeyPatch.context() as patch:
            for name, value in _BEFORE_TORCH.items():
                patch.setenv(name, value)
            self._process.start()
        says_so.close()
        with began:
            assert began.poll(_STARTED_S), f"{command[2]} does not begin"
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        assert code is not None, f"{self.args[1]} runs on"
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def _become(
    command: list[str], env: dict[str, str], log: str, says_so: Connection, test: int
) -> None:
    os.setsid()
    threading.Thread(target=_end_after, args=(test,), daemon=True).start()
    os.environ.clear()
    os.environ.update(env)
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for end, standard in ((null, 0), (file, 1), (file, 2)):
        os.dup2(end, standard)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  multiprocessing has closed it
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, write_through=True)  # type: ignore[union-attr]
    module, *arguments = command
    sys.argv = [module, *arguments]
    says_so.send_bytes(b"began")
    says_so.close()
    importlib.import_module(module).main()


def _end_after(test: int) -> None:
    """A test that is killed ends none of its processes; they would answer in the domain of another
    test a hundred tests later."""
    while Path(f"/proc/{test}").exists():
        time.sleep(2.0)
    os._exit(1)
