"""Checks Python, and the tools that build the message package."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys

from avatar_nodes.machine.finding import Finding

_OLDEST = (3, 10)


def check_python() -> Finding:
    """The interpreter that runs this."""
    version = platform.python_version()
    return Finding(
        "Python",
        sys.version_info >= _OLDEST,
        f"{version} ({sys.executable})",
        f"install Python {'.'.join(map(str, _OLDEST))} or newer",
    )


def check_compiler() -> Finding:
    """A C++ compiler, which the message package needs once."""
    path = next((path for name in ("c++", "g++", "clang++") if (path := shutil.which(name))), None)
    remedy = "apt-get install g++ (needed to build the messages once)"
    if path is None:
        return Finding("C++ compiler", False, "none", remedy, required=False)
    first = _first_line([path, "--version"])
    return Finding("C++ compiler", bool(first), first or f"{path} does not run", remedy, False)


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return next(iter(done.stdout.splitlines()), "")
