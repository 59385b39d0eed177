"""A visitor whose network lets no UDP out: TURN by TCP is the only way, and it is enough."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.turn_server import turn_server
from support.two_hosts import Host, two_hosts

PORT = 3478
PROGRAM = (sys.executable, "-m", "support.page_and_viewer")


@contextmanager
def _page(host: Host, folder: Path) -> Iterator[str]:
    server = f"turn:{host.address}:{PORT}?transport=tcp"
    running = subprocess.Popen(
        host.command([*PROGRAM, "page", host.address, server]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment(folder), text=True,
    )  # fmt: skip
    assert running.stdin is not None
    assert running.stdout is not None
    try:
        yield running.stdout.readline().strip()
    finally:
        running.stdin.close()
        running.wait(30)
        running.stdout.close()


def _environment(folder: Path) -> dict[str, str]:
    here = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    return {**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONPATH": here}


def _block_udp(host: Host) -> None:
    rule = ["ip", "-n", host.name, "rule", "add", "pref", "5", "ipproto", "udp", "prohibit"]
    subprocess.run(rule, check=True, capture_output=True)


def test_a_visitor_without_udp_sees_the_avatar(tmp_path: Path) -> None:
    with two_hosts() as (booth, visitor):
        _block_udp(visitor)
        with (
            turn_server(tmp_path, booth.address, PORT, booth.command),
            _page(booth, tmp_path) as url,
        ):
            assert url.startswith(f"https://{booth.address}:")
            seen = subprocess.run(
                visitor.command([*PROGRAM, "viewer", url]),
                env=_environment(tmp_path), capture_output=True, text=True, timeout=90, check=False,
            )  # fmt: skip
            assert seen.stdout.strip() == "relay 10", seen.stderr
