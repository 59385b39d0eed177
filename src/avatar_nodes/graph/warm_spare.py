"""A process that has imported what stations need, and waits to become the one that has died."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from collections.abc import Mapping, Sequence

import psutil

from avatar_nodes.graph.tied_process import tied


class WarmSpare:
    """At most one such process; `take` hands it out, and `start` makes another.

    All methods are for one thread, the main one: the process dies with the thread that started it.

    Args:
        command: runs `nodes/spare.py`; it gets a socket as its standard input, over which it says
            when it is ready, and is told what to become.
        environment: its whole environment.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._process: psutil.Popen | None = None
        self._channel: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while there is one."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def ready(self) -> bool:
        """It has imported everything."""
        if self.pid is None or self._channel is None:
            return False
        with contextlib.suppress(OSError):
            return bool(self._channel.recv(1, socket.MSG_PEEK))
        return False

    def start(self) -> None:
        """Make one, unless there is one."""
        if self.pid is not None:
            return
        self.stop()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            self._process = psutil.Popen(
                tied(self._command), env=self._environment, stdin=theirs, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
        self._channel = ours

    def take(self, command: Sequence[str], environment: Mapping[str, str]) -> psutil.Popen | None:
        """The process, which goes on as if it had been started with `command` (`python -m MODULE
        ...`) and `environment`; None: there is none that is ready."""
        if not self.ready or self._channel is None:
            return None
        process, channel = self._process, self._channel
        order = {"command": list(command), "environment": dict(environment)}
        self._process = self._channel = None
        with channel:
            channel.setblocking(True)
            try:
                channel.sendall(json.dumps(order).encode() + b"\n")
            except OSError:  # it has just died
                return None
        return process

    def stop(self) -> None:
        """End it."""
        process, channel, self._process, self._channel = self._process, self._channel, None, None
        if channel is not None:
            channel.close()
        if process is not None:
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait()
            for pipe in (process.stdout, process.stderr):
                pipe.close()
