"""Two hosts on one machine: network namespaces with a cable between, each with shared memory and a
name of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Host:
    """One of the two."""

    name: str
    address: str

    def command(self, command: Sequence[str | Path]) -> list[str]:
        """`command` as it is run on this host."""
        inside = 'mount -t tmpfs tmpfs /dev/shm && hostname "$0" && exec "$@"'
        words = [str(word) for word in command]
        # What libraries our own process was given is not for ip and unshare.
        kept = f"LD_LIBRARY_PATH={os.environ.get('LD_LIBRARY_PATH', '')}"
        return [
            "env", "-u", "LD_LIBRARY_PATH", "ip", "netns", "exec", self.name, "unshare", "--mount",
            "--uts", "--ipc", "env", kept, "sh", "-c", inside, self.name, *words,
        ]  # fmt: skip


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Skips the test where they cannot be had."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        pytest.skip("network namespaces need root, iproute2 and util-linux")
    number = os.getpid() % 250
    hosts = [Host(f"avatar{side}{os.getpid()}", f"10.213.{number}.{side}") for side in (1, 2)]
    cable = [f"av{side}x{os.getpid() % 100000}" for side in (1, 2)]
    try:
        try:
            for host in hosts:
                _ip("netns", "add", host.name)
            _ip("link", "add", cable[0], "type", "veth", "peer", "name", cable[1])
            for host, end in zip(hosts, cable, strict=True):
                _ip("link", "set", end, "netns", host.name)
                _ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", end)
                for link in ("lo", end):
                    _ip("-n", host.name, "link", "set", link, "up")
                _ip("-n", host.name, "route", "add", "224.0.0.0/4", "dev", end)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
        yield hosts[0], hosts[1]
    finally:
        for host in hosts:
            subprocess.run(["ip", "netns", "del", host.name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
