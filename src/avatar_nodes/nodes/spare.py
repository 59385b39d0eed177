"""A process that imports what nodes need, and then waits to be told which of them it is.

Imports are most of what a station needs to be back: half a second to four of CPU time.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from avatar_nodes.nodes.base.run_nodes import leave
from avatar_nodes.nodes.container import node_class

_LATER = {"conductor": ("transformers.audio_utils", "avatar_nodes.model.text")}
"""What nodes import in `setup`, by kind."""
_OF_THE_LOADER = ("LD_LIBRARY_PATH", "_ROS_WHEELS_BOOTSTRAP_COMPLETE")
"""Of this process's start, which is over."""


def main() -> None:
    """Import the nodes of the kinds that the command line names; then be one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--room", default="")
    for kind in parser.parse_args().kinds.split(","):
        node_class(kind)
        for module in _LATER.get(kind, ()):
            importlib.import_module(module)
    with socket.socket(fileno=os.dup(0)) as channel, channel.makefile("rb") as lines:
        channel.sendall(b"\n")
        line = lines.readline()
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    if not line:  # whoever started it has no use for it any more
        leave(0)
    order = json.loads(line)
    wanted = {k: v for k, v in order["environment"].items() if k not in _OF_THE_LOADER}
    os.environ.update(wanted)
    command = order["command"]
    module = command[2]
    _show_as(command)
    if torch := sys.modules.get("torch"):  # it has read the variable already
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    node = importlib.import_module(module)
    sys.argv = [str(node.__file__), *command[3:]]
    node.main()


def _show_as(command: Sequence[str]) -> None:
    """Let `ps` and `pkill -f` see the command, in the place of our own."""
    words = "\0".join(command).encode()
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        start, end = int(fields[45]), int(fields[46])
    except (OSError, ValueError, IndexError):  # another system
        return
    if len(words) < end - start:
        ctypes.memmove(start, words.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    main()
