"""A ROS domain that no other test, also of another pytest run, uses at the same time."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Above 101, Fast DDS's ports reach into those that Linux gives to outgoing connections.
DOMAINS = range(1, 102)
_COUNT = len(DOMAINS)


@contextmanager
def reserved_domain() -> Iterator[int]:
    """A ROS_DOMAIN_ID, held by a file lock until the end of the block or of this process.

    They take turns: processes that an earlier test killed leave ports behind in shared memory.
    """
    folder = Path(tempfile.gettempdir(), "avatar_ros_domains")
    folder.mkdir(exist_ok=True)
    turn = _next_turn(folder)
    for domain in (DOMAINS[(turn + number) % _COUNT] for number in range(_COUNT)):
        with (folder / str(domain)).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield domain
            return
    raise RuntimeError(f"all {_COUNT} ROS domains are in use")


def _next_turn(folder: Path) -> int:
    """One more than the last caller got."""
    with (folder / "turn").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        turn = int(file.read() or 0) + 1
        file.truncate(0)
        file.write(str(turn))
    return turn
