"""coturn, a TURN server as it is used in the world."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.waiting import wait_until

USER, CREDENTIAL = "avatar", "a-credential-of-turn"


@contextmanager
def turn_server(
    folder: Path, address: str = "127.0.0.1", port: int = 0,
    command: Callable[[Sequence[str]], Sequence[str | Path]] = list,
) -> Iterator[str]:  # fmt: skip
    """HOST:PORT of a server that listens there by UDP and TCP; skips the test without coturn.

    command: makes of coturn's command line the one that is run, on another host, say.
    """
    program = shutil.which("turnserver")
    if program is None:
        pytest.skip("no coturn here: apt-get install coturn")
    port = port or _free_port(address)
    options = [
        "-n", "--no-cli", "--no-tls", "--no-dtls", "--lt-cred-mech", "--realm=avatar",
        f"--user={USER}:{CREDENTIAL}", f"--listening-ip={address}", f"--relay-ip={address}",
        f"--listening-port={port}", "--allow-loopback-peers", "--min-port=49160",
        "--max-port=49200", "--log-file=stdout", "--simple-log", f"--pidfile={folder / 'turn.pid'}",
        f"--userdb={folder / 'turn.db'}",
    ]  # fmt: skip
    log = folder / "turn.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [str(word) for word in command([program, *options])], stdout=out, stderr=out, cwd=folder
        )
    try:
        wait_until(
            lambda: b"admin thread" in log.read_bytes() or server.poll() is not None,
            what="coturn", seconds=20,
        )  # fmt: skip
        assert server.poll() is None, log.read_text(errors="replace")
        yield f"{address}:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
