"""A mark by which a run knows the processes that it started itself from those of another run."""

from __future__ import annotations

import os
import uuid

RUN = "AVATAR_RUN"
"""Environment variable of the processes that a run starts: its mark."""


def new_run() -> str:
    """A mark that no other run has."""
    return uuid.uuid4().hex


def new_instance() -> str:
    """What a process calls itself in StageStatus: another name at every start; begins with its
    run's mark where somebody started it who has one.
    """
    run = os.environ.get(RUN, "")
    instance = uuid.uuid4().hex
    return f"{run}-{instance}" if run else instance


def is_of_run(instance: str, run: str) -> bool:
    """Whether a process that calls itself `instance` was started by `run`."""
    return instance.startswith(f"{run}-")
