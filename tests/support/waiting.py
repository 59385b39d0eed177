"""Waiting for what happens elsewhere, without ROS."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 300.0) -> None:
    """Return once `condition` holds; fail the test, naming `what`, when it does not in time."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s: {what}"
        sleep(0.01)
