"""The source tree as an installed ROS package, for launch files that look for one."""

from __future__ import annotations

import sys
from pathlib import Path

from avatar_nodes.profile.resources import share_directory


def ament_prefix(folder: Path) -> Path:
    """A prefix for AMENT_PREFIX_PATH with our executables and share folder, made in `folder`."""
    prefix = folder / "prefix"
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    executables = prefix / "lib" / "avatar_nodes"
    for made in (index, executables):
        made.mkdir(parents=True)
    (index / "avatar_nodes").touch()
    (prefix / "share" / "avatar_nodes").symlink_to(share_directory())
    for file in (Path(__file__).parents[2] / "src" / "avatar_nodes" / "nodes").glob("*.py"):
        script = executables / file.stem
        command = f'exec "{sys.executable}" -m avatar_nodes.nodes.{file.stem} "$@"'
        script.write_text(f"#!/bin/sh\n{command}\n")
        script.chmod(0o755)
    return prefix
