#!/usr/bin/env python3
"""Bring `.venv` up to date: ROS 2 and torch wheels, avatar_msgs, and this package.

Every step is repeated only when what it is made from has changed: `.venv/setup/*.stamp` hold the
hashes. A stamp is removed before its step starts and written when it has succeeded, so that an
interrupted set-up goes on where it stopped. Standard library only: it runs before anything is
installed. docs/workspace.md tells the why of each step.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "setup"
REQUIREMENTS = ROOT / "requirements"
LOCKED = REQUIREMENTS / "locked"
MESSAGES = ROOT / "src" / "avatar_msgs"
BUILD = ROOT / "build" / "venv"
LOG = ROOT / "build" / "setup.log"
# What a sourced ROS distribution leaves in the environment; it would mix with the wheels.
FOREIGN = (
    "AMENT_PREFIX_PATH",
    "CMAKE_PREFIX_PATH",
    "COLCON_PREFIX_PATH",
    "PYTHONHOME",
    "PYTHONPATH",
)


class SetupError(Exception):
    """The set-up cannot go on; the message says why and what helps."""


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def check_machine() -> None:
    """Fail early, in one line, where the wheels do not exist or the messages cannot be built."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        raise SetupError(
            f"ROS 2 wheels exist for Linux on x86-64 only, this is {sys.platform} on "
            f"{platform.machine()}: use a ROS 2 distribution and colcon (docs/workspace.md)"
        )
    compilers = {"C": ("CC", "cc", "gcc", "clang"), "C++": ("CXX", "c++", "g++", "clang++")}
    for language, (variable, *names) in compilers.items():
        chosen = os.environ.get(variable)
        if not any(shutil.which(name) for name in ([chosen.split()[0]] if chosen else names)):
            raise SetupError(
                f"no {language} compiler ({chosen or names[0]}), which avatar_msgs is built with: "
                "install one (Debian, Ubuntu: build-essential)"
            )
    if not shutil.which("make"):
        raise SetupError("no make, which avatar_msgs is built with: install it")
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        raise SetupError(
            f"no Python headers ({header}), which avatar_msgs is built with: install them "
            "(Debian, Ubuntu: python3-dev) or use another Python (make setup PYTHON=...)"
        )


def environment() -> dict[str, str]:
    """The environment of every command of the set-up: the venv first, nothing of a sourced ROS."""
    env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    env["PATH"] = f"{VENV / 'bin'}{os.pathsep}{env.get('PATH', '')}"
    env["VIRTUAL_ENV"] = str(VENV)
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return env


def run(*command: str | Path, **extra: str) -> None:
    """Run a command with `extra` variables, its output into the log, a sign of life on the way.

    Raises:
        SetupError: it failed; the end of its output has been printed.
    """
    words = [str(word) for word in command]
    with LOG.open("a+b") as log:
        log.write(f"\n$ {' '.join(words)}\n".encode())
        log.flush()
        begin = log.tell()
        env = {**environment(), **extra}
        child = subprocess.Popen(words, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            code = wait(child, lambda: tail(log, begin))
        except BaseException:
            child.kill()
            child.wait()
            raise
        if code:
            print("\n".join(tail(log, begin)[-25:]), file=sys.stderr)
            raise SetupError(f"`{' '.join(words[:6])}` failed ({code}); its whole output: {LOG}")


def wait(child: subprocess.Popen[bytes], output: Callable[[], list[str]]) -> int:
    """The child's exit status, once it has ended; until then its last line now and then."""
    begin = time.monotonic()
    while True:
        try:
            return child.wait(timeout=20.0)
        except subprocess.TimeoutExpired:
            last = (output() or [""])[-1].strip()
            say(f"  {time.monotonic() - begin:.0f} s, {last[:80]}")


def tail(log: BinaryIO, begin: int) -> list[str]:
    """The last lines of what was written to `log` after `begin`, empty ones left out."""
    end = log.seek(0, os.SEEK_END)
    log.seek(max(begin, end - 8192))
    return [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]


def digest(paths: Iterable[Path], *words: str) -> str:
    """A hash of the given words and of the files' paths and contents."""
    total = hashlib.sha256("\0".join(words).encode())
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def step(name: str, state: str, title: str, work: Callable[[], None]) -> bool:
    """Do `work` unless it was done for this very `state`; returns whether it was done now."""
    stamp = STAMPS / f"{name}.stamp"
    if stamp.is_file() and stamp.read_text() == state:
        return False
    say(f"{title} ...")
    begin = time.monotonic()
    stamp.unlink(missing_ok=True)
    work()
    STAMPS.mkdir(parents=True, exist_ok=True)
    fresh = stamp.with_suffix(".new")
    fresh.write_text(state)
    fresh.replace(stamp)
    say(f"{title}: done in {time.monotonic() - begin:.0f} s")
    return True


def create_venv() -> None:
    check_machine()
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", VENV)
    except SetupError as error:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(
            f"{error}; Python cannot make a virtual environment (Debian, Ubuntu: install "
            "python3-venv)"
        ) from None


def install_packages(name: str) -> None:
    (STAMPS / "locked.stamp").unlink(missing_ok=True)
    run(PYTHON, "-m", "pip", "install", "-r", REQUIREMENTS / f"{name}.txt")


def install_locked(files: Sequence[Path]) -> None:
    """Nothing but files whose hashes are locked: also what builds the one that has no wheel."""
    for stamp in STAMPS.glob("*.stamp"):
        if (REQUIREMENTS / f"{stamp.stem}.txt").is_file():
            stamp.unlink()
    install = (PYTHON, "-m", "pip", "install", "--require-hashes", "--no-build-isolation")
    run(*install, "-r", LOCKED / "build.txt")
    run(*install, *(word for file in files for word in ("-r", file)))


def build_messages() -> None:
    """Build avatar_msgs with colcon, straight into the venv, which is an ament prefix."""
    code = (
        "import numpy, sysconfig; paths = sysconfig.get_paths(); "
        "print(paths['include'], numpy.get_include(), paths['purelib'], sep='\\n')"
    )
    facts = subprocess.check_output([PYTHON, "-c", code], env=environment(), text=True)
    include, numpy_include, site_packages = facts.splitlines()
    mend_exported_cmake(include, numpy_include)
    shutil.rmtree(BUILD, ignore_errors=True)
    run(
        *(VENV / "bin" / "colcon", "--log-base", BUILD / "log", "build", "--merge-install"),
        *("--base-paths", MESSAGES, "--build-base", BUILD, "--install-base", VENV),
        *("--event-handlers", "console_direct+"),
        *("--cmake-args", "-DBUILD_TESTING=OFF", "-DCMAKE_BUILD_TYPE=Release"),
        f"-DPython3_EXECUTABLE={PYTHON}",
        # Debian's Python would name lib/python3/dist-packages, which a venv does not read.
        f"-DPYTHON_INSTALL_DIR={Path(site_packages).relative_to(VENV)}",
        AMENT_PREFIX_PATH=str(VENV),
        CMAKE_PREFIX_PATH=str(VENV),
    )


def mend_exported_cmake(include: str, numpy_include: str) -> None:
    """Put our include folders where the wheels' CMake files name those of their build machine."""
    for path in (VENV / "share").rglob("*.cmake"):
        old = path.read_text(encoding="utf-8")
        new = re.sub(r"/opt/python/[^;\"\s]*/numpy/_core/include", lambda _: numpy_include, old)
        new = re.sub(r"/opt/python/[^;\"\s]*/include/python3\.\d+", lambda _: include, new)
        if new != old:
            path.write_text(new, encoding="utf-8")


def install_package() -> None:
    run(PYTHON, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--editable", ROOT)


@contextmanager
def exclusive() -> Iterator[None]:
    """Let one set-up at a time work on the checkout; a second one waits for the first."""
    LOG.parent.mkdir(exist_ok=True)
    with LOG.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up of this checkout ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def bring_up_to_date(extras: list[str], *, locked: bool = False) -> bool:
    """Repeat the steps whose sources changed; returns whether there was any."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if not PYTHON.exists():  # never made, or the Python it was made with is gone
        shutil.rmtree(STAMPS, ignore_errors=True)
    python = f"{version} {sys.base_prefix} {ROOT}"
    changed = [step("venv", python, f"virtual environment with Python {version}", create_venv)]
    if locked:
        files = [LOCKED / "base.txt", *([LOCKED / "extras.txt"] if extras else [])]
        state = digest([*files, LOCKED / "build.txt"])
        title = "packages of requirements/locked"
        changed.append(step("locked", state, title, partial(install_locked, files)))
    else:
        for name in ("ros", "runtime", *extras):
            state = digest([REQUIREMENTS / f"{name}.txt"])
            title = f"packages of requirements/{name}.txt"
            changed.append(step(name, state, title, partial(install_packages, name)))
    sources = [path for path in MESSAGES.rglob("*") if path.is_file()]
    state = digest([*sources, LOCKED / "base.txt" if locked else REQUIREMENTS / "ros.txt"])
    changed.append(step("avatar_msgs", state, "build of src/avatar_msgs", build_messages))
    state = digest(ROOT / name for name in ("setup.py", "setup.cfg", "pyproject.toml"))
    changed.append(step("avatar_nodes", state, "install of this package", install_package))
    return any(changed)


def main() -> int:
    parser = argparse.ArgumentParser(description="Bring .venv up to date.")
    parser.add_argument(
        "extras", nargs="*", help="further lists of requirements/: test, training, chat, large"
    )
    parser.add_argument(
        "--locked", action="store_true", help="the versions of requirements/locked, by their hashes"
    )
    begin = time.monotonic()
    try:
        arguments = parser.parse_args()
        with exclusive():
            changed = bring_up_to_date(arguments.extras, locked=arguments.locked)
    except SetupError as error:
        print(f"setup: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; the next one goes on from here", file=sys.stderr)
        return 130
    say(f"ready in {time.monotonic() - begin:.0f} s" if changed else "up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
