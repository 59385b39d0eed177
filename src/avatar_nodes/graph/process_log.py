"""The output of several processes in one terminal: whole lines, each with its process's name, in a
number and length that fill no disk."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import Any, TextIO

import click

from avatar_nodes.graph.log_budget import LogBudget

_COLOURS = ("cyan", "green", "yellow", "blue", "magenta", "bright_cyan", "bright_green")
_LONGEST_LINE = 16384
_BURST, _PER_S = 2000, 100.0
"""Of each process; its nodes limit their own lines to less."""


class ProcessLog:
    """Prints lines as `name | line`, in a colour for each name where the output is a terminal."""

    def __init__(self, names: list[str], out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._width = max((len(name) for name in names), default=0)
        self._budgets = {name: LogBudget(burst=_BURST, per_s=_PER_S) for name in names}
        self._colour = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}

    def write(self, name: str, line: str) -> None:
        """Print one line of the process `name`.

        A full disk or a closed pipe costs the line, and nothing else: whoever says something has
        processes to look after.
        """
        prefix = f"{name:<{self._width}} |"
        if name in self._colour:
            prefix = click.style(prefix, fg=self._colour[name])
        clear = "\r\x1b[K" if self._out.isatty() else ""  # a progress bar may be there
        budget = self._budgets.get(name)
        with contextlib.suppress(OSError):
            for admitted in [line] if budget is None else budget.admit(line):
                click.echo(f"{clear}{prefix} {admitted}", file=self._out)


class LineStream:
    """Takes the raw chunks that circus reads from one process and passes on whole lines."""

    def __init__(self, write_line: Callable[[str], None]) -> None:
        self._write_line = write_line
        self._rest: dict[str, bytes] = {}

    def __call__(self, chunk: dict[str, Any]) -> None:
        """Take `{"data": bytes, "name": "stdout" or "stderr", "pid": int}`."""
        self.feed(chunk["name"], chunk["data"])

    def feed(self, stream: str, data: bytes) -> None:
        """Take bytes of one of the process's streams."""
        *lines, rest = (self._rest.get(stream, b"") + data).split(b"\n")
        for line in lines:
            self._emit(line)
        if len(rest) > _LONGEST_LINE:
            self._emit(rest)
            rest = b""
        self._rest[stream] = rest

    def close(self) -> None:
        """Pass on what has no line end; the process is gone."""
        for rest in self._rest.values():
            if rest:
                self._emit(rest)
        self._rest.clear()

    def _emit(self, line: bytes) -> None:
        # A progress bar overwrites its line by carriage returns: only its last state counts.
        text = line.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", errors="replace")
        self._write_line(text)
