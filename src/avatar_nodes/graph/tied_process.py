"""Runs a command that dies when the process that started it dies.

Used as a prefix: `python -I -S tied_process.py PARENT_PID COMMAND...`. Standard library only, and
no `site`, so that it costs a few milliseconds. It matters since a supervisor that is killed with
SIGKILL (or `ros2 launch` with SIGTERM) leaves its nodes running, and they would answer on the same
topics as the next graph.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tied(command: "list[str]") -> "list[str]":
    """`command`, to be started by this very process and thread and to die with it."""
    this_file = str(Path(__file__).resolve())
    return [sys.executable, "-I", "-S", this_file, str(os.getpid()), *command]


def main() -> None:
    """Ask the kernel for SIGKILL at the parent's death, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
