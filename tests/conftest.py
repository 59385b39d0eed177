"""Fixtures of all tests. ROS is imported when asked for: the library is tested without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from support.process_group import ProcessGroup
from support.ros_domain import reserved_domain

from avatar_nodes.graph.environment import adopt_environment, foreign_environment

if TYPE_CHECKING:
    import rclpy
    from support.spinner import Spinner

ROOT = Path(__file__).resolve().parent.parent

pytest_plugins = ["support.fixtures"]

# The same examples every time: a run tells of the change, not of chance. To look for more:
# pytest --hypothesis-profile=thorough
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=10_000, deadline=None)
hypothesis.settings.load_profile("repeatable")

# Before torch is loaded, which reads it once: the tests' models are so small that several threads
# only wait for each other, without end on a machine with other work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Models that this machine happens to have change no test: whoever wants one takes `real_model`.
os.environ["AVATAR_CACHE"] = str(Path(__file__).parent / "no" / "cache")
os.environ.pop("AVATAR_MODELS", None)


@pytest.fixture(scope="session", autouse=True)
def quiet_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests on this machine, on two cores, and out of the user's log folders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("ros_log")))
        adopt_environment()
        yield


def pytest_sessionstart(session: pytest.Session) -> None:
    _remove_shared_memory_of_the_dead(session.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    _remove_shared_memory_of_the_dead(config)


def _remove_shared_memory_of_the_dead(config: pytest.Config) -> None:
    """A killed process leaves its 64 MB in /dev/shm, and ports that the next one of the same number
    finds; Fast DDS's tool removes what nobody holds. Not beside other tests, whose processes may
    just be taking theirs."""
    if hasattr(config, "workerinput"):
        return
    tool = Path(sys.prefix, "bin", "fastdds")
    if tool.is_file():
        env = foreign_environment()
        env["PATH"] = f"{tool.parent}{os.pathsep}{env['PATH']}"  # it runs the `python3` it finds
        subprocess.run([tool, "shm", "clean"], env=env, capture_output=True, check=False)
    elif shutil.which("fastdds"):
        subprocess.run(["fastdds", "shm", "clean"], capture_output=True, check=False)


@pytest.fixture(autouse=True)
def threads_of_torch() -> Iterator[None]:
    """Commands set them for their whole process; with others, sums are rounded differently."""
    before = _threads_of_torch()
    yield
    if (torch := sys.modules.get("torch")) is not None and torch.get_num_threads() != before:
        torch.set_num_threads(before)


def _threads_of_torch() -> int:
    torch = sys.modules.get("torch")
    return int(os.environ["OMP_NUM_THREADS"]) if torch is None else torch.get_num_threads()


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS_DOMAIN_ID of the test's own, set for it and the processes it starts."""
    with reserved_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        yield domain


@pytest.fixture
def ros_context(ros_domain: int) -> Iterator[rclpy.Context]:
    """An initialised rclpy context in the test's own domain."""
    import rclpy

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    yield context
    context.try_shutdown()


@pytest.fixture
def spinner(ros_context: rclpy.Context) -> Iterator[Spinner]:
    """Spins what is added to it in a thread; see tests/support/spinner.py."""
    from support.spinner import Spinner

    spinner = Spinner(ros_context)
    yield spinner
    spinner.stop()


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[ProcessGroup]:
    """Starts processes that end with the test; see tests/support/process_group.py."""
    with ProcessGroup(tmp_path) as group:
        yield group
