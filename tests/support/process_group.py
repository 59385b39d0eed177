"""Child processes of a test, none of which outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeAlias

from avatar_nodes.graph.environment import child_environment
from support.forked_process import ForkedProcess

Child: TypeAlias = "subprocess.Popen[bytes] | ForkedProcess"


class ProcessGroup:
    """Starts processes, each the leader of its own process group; ends the groups at its own end.

    Their output goes to `<folder>/<name>.log`.
    """

    def __init__(self, folder: Path, *, patience: float = 5.0) -> None:
        self._folder = folder
        self._patience = patience
        self._started: list[Child] = []

    def start(
        self, command: Sequence[str | Path], *, name: str, env: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start `command` with `env` added to a graph process's environment."""
        with self.log_path(name).open("ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                env=child_environment() | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._started.append(child)
        return child

    def fork(
        self, command: Sequence[str | Path], *, name: str, env: dict[str, str] | None = None
    ) -> ForkedProcess:
        """Start `command`, a node's, as `start` does, but forked (`ForkedProcess`)."""
        child = ForkedProcess(
            [str(word) for word in command],
            env=child_environment() | (env or {}),
            log=self.log_path(name),
        )
        self._started.append(child)
        return child

    def log_path(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def log(self, name: str) -> str:
        """All that the processes started under `name` have printed so far."""
        return self.log_path(name).read_text(errors="replace")

    def stop(self) -> None:
        """Interrupt every group, then kill what is left of it after `patience` seconds."""
        for number in (signal.SIGINT, signal.SIGTERM):
            alive = [child for child in self._started if _signal_group(child, number)]
            deadline = time.monotonic() + self._patience
            for child in alive:
                _wait(child, deadline)
        for child in self._started:
            _signal_group(child, signal.SIGKILL)
            child.wait()

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def group_is_alive(child: Child) -> bool:
    """Whether any process of the child's group runs, the child itself or one it has started."""
    return _signal_group(child, 0)


def _signal_group(child: Child, number: int) -> bool:
    child.poll()
    try:
        os.killpg(child.pid, number)
    except ProcessLookupError:
        return False
    return True


def _wait(child: Child, deadline: float) -> None:
    while group_is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
