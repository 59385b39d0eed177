"""Environment variables of the processes we start, and of our own.

ROS 2 from wheels needs a library path: at its first start in a process tree, Python re-executes
itself with one and leaves a mark so as to do it only once. A child that inherits the mark without
the library path cannot import rclpy, and a child that is not Python (a browser, ffmpeg) may load
our libraries instead of its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.profile.resources import share_path

_MARK = "_ROS_WHEELS_BOOTSTRAP_COMPLETE"
_LIBRARY_PATH = "LD_LIBRARY_PATH"
# Where Fast DDS looks for its profile: version 3, and version 2 of the distributions before Kilted.
_PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"
_OLD_PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
_OLD_DISTRIBUTIONS = ("humble", "iron", "jazzy")
_SHIPPED, _OLD_SHIPPED = "fastdds.xml", "fastdds_2.xml"

SEGMENT = "AVATAR_SEGMENT_BYTES"
"""Variable with the size of a process's shared memory segment; unset: as in the shipped profile."""
LIGHT_SEGMENT_BYTES = 2 << 20
"""Enough for sound, words and states: 1024 messages of 40 ms of sound that nobody reads."""


def child_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a Python process of the graph, made from `base` (default: our own).

    It names the shipped Fast DDS profile unless one is named already, has our prefix in
    AMENT_PREFIX_PATH where ROS came with wheels, and lets the child find ROS's libraries. It has a
    HOME, and ROS a folder for its logs.

    Raises:
        ResourceError: the Fast DDS profile is not where the package was installed.
        ConfigurationError: there is no place for files at all.
    """
    env = dict(os.environ if base is None else base)
    env |= _home_and_logs(env)
    if not (env.get(_PROFILE) or env.get(_OLD_PROFILE)):
        old = env.get("ROS_DISTRO") in _OLD_DISTRIBUTIONS
        name, file = (_OLD_PROFILE, _OLD_SHIPPED) if old else (_PROFILE, _SHIPPED)
        env[name] = str(share_path("config", file))
    if _is_ament_prefix(Path(sys.prefix)):
        _prepend(env, "AMENT_PREFIX_PATH", sys.prefix)
    library = str(Path(sys.prefix) / "lib")
    if library not in env.get(_LIBRARY_PATH, "").split(os.pathsep):
        env.pop(_MARK, None)  # The child then finds the libraries by itself.
    return env


def adopt_home() -> None:
    """Give this process a HOME: a service of systemd without `User=` has none. Raises
    ConfigurationError."""
    os.environ["HOME"] = _home(os.environ)


def adopt_environment() -> None:
    """Give this process what child_environment gives a child; call it before rclpy.init."""
    os.environ.update(child_environment())


@contextlib.contextmanager
def sized_segment(size_bytes: int | None = None) -> Iterator[None]:
    """Create the first ROS node of the process within this: Fast DDS reads its profile with it.

    Fast DDS fills the whole segment when it makes it, so that a size that is never used costs as
    much memory as one that is. size_bytes: None: what the variable SEGMENT says. A profile of the
    user's own stays as it is.
    """
    size_bytes = size_bytes or int(os.environ.get(SEGMENT) or 0)
    files = {_PROFILE: _SHIPPED, _OLD_PROFILE: _OLD_SHIPPED}
    shipped = {name: str(share_path("config", file)) for name, file in files.items()}
    used = {name: file for name, file in shipped.items() if os.environ.get(name) == file}
    if not (size_bytes and used):
        yield
        return
    (name, file), *_ = used.items()
    text = re.sub(
        r"(?<=<segment_size>)\d+", str(size_bytes), Path(file).read_text(encoding="utf-8")
    )
    with tempfile.NamedTemporaryFile("w", prefix="avatar_", suffix=".xml", encoding="utf-8") as own:
        own.write(text)
        own.flush()
        os.environ[name] = own.name
        try:
            yield
        finally:
            os.environ[name] = file


def foreign_environment(base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for a process that is no part of ROS, without our libraries, from `base`."""
    env = dict(os.environ if base is None else base)
    env.pop(_MARK, None)
    ours = Path(sys.prefix)
    kept = [
        entry
        for entry in env.pop(_LIBRARY_PATH, "").split(os.pathsep)
        if entry and not Path(entry).is_relative_to(ours)
    ]
    # With the system's Python as prefix, its own library folders are everybody's.
    if _is_ament_prefix(ours) and kept:
        env[_LIBRARY_PATH] = os.pathsep.join(kept)
    return env


def _home(env: Mapping[str, str]) -> str:
    """HOME, or what the system knows as that; a container's user may be unknown to it."""
    if home := env.get("HOME"):
        return home
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(_own_temporary_folder())


def _home_and_logs(env: Mapping[str, str]) -> dict[str, str]:
    """HOME; and ROS_LOG_DIR where ROS, which does not start without, can make no folder in it."""
    home = _home(env)
    if env.get("ROS_LOG_DIR") or env.get("ROS_HOME") or _can_be_made(Path(home, ".ros", "log")):
        return {"HOME": home}
    return {"HOME": home, "ROS_LOG_DIR": str(_own_temporary_folder() / "log")}


def _can_be_made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _own_temporary_folder() -> Path:
    """The same for all processes of this user, and nobody else's. Raises ConfigurationError."""
    try:
        folder = Path(tempfile.gettempdir(), f"avatar_{os.getuid()}")
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"no place for files: set HOME or TMPDIR to a folder that can be written ({error})"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise ConfigurationError(f"{folder} is somebody else's: set HOME to a folder of your own")
    return folder


def _is_ament_prefix(prefix: Path) -> bool:
    return (prefix / "share" / "ament_index").is_dir()


def _prepend(env: dict[str, str], name: str, entry: str) -> None:
    entries = [part for part in env.get(name, "").split(os.pathsep) if part and part != entry]
    env[name] = os.pathsep.join([entry, *entries])
