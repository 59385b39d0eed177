"""A ROS domain that no other test, also of another pytest run, uses at the same time."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Above 101, Fast DDS's ports reach into those that Linux gives to outgoing connections.
DOMAINS = range(1, 102)


@contextmanager
def reserved_domain() -> Iterator[int]:
    """A ROS_DOMAIN_ID, held by a file lock until the end of the block or of this process."""
    folder = Path(tempfile.gettempdir(), "avatar_ros_domains")
    folder.mkdir(exist_ok=True)
    for domain in DOMAINS:
        with (folder / str(domain)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain
            return
    raise RuntimeError(f"all {len(DOMAINS)} ROS domains are in use")
