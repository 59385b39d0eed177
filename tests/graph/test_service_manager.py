"""What systemd is told, over a socket as it has one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from avatar_nodes.graph.service_manager import ServiceManager


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.setblocking(False)
        yield ear


def heard(ear: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(ear.recv(4096).decode())
        except BlockingIOError:
            return found


def environment(ear: socket.socket, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": ear.getsockname(), "HOME": "/home/me", **more}


def test_ready_and_alive_in_time(listening: socket.socket) -> None:
    given = environment(listening, WATCHDOG_USEC="60000000", WATCHDOG_PID="1")
    systemd = ServiceManager(given)
    assert given == {"HOME": "/home/me"}, "processes of the graph are not to speak for it"
    systemd.ready()
    for tenth in range(450):
        systemd.alive("block 5 was\npresented", 100.0 + tenth / 10)
    assert heard(listening) == ["READY=1", *["WATCHDOG=1\nSTATUS=block 5 was presented"] * 3]


def test_without_a_watchdog_there_is_a_status_now_and_then(listening: socket.socket) -> None:
    systemd = ServiceManager(environment(listening))
    for second in range(20):
        systemd.alive("x" * 500, float(second))
    assert heard(listening) == ["STATUS=" + "x" * 200] * 2


def test_an_abstract_socket() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind("\0avatar_nodes_test_notify")
        ServiceManager({"NOTIFY_SOCKET": "@avatar_nodes_test_notify"}).ready()
        ear.settimeout(10.0)
        assert ear.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    "given", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"WATCHDOG_USEC": "a"}]
)
def test_nobody_listens(given: dict[str, str]) -> None:
    systemd = ServiceManager(given)
    systemd.ready()
    systemd.alive("fine", 0.0)


def test_a_manager_that_is_stuck_holds_nobody_up(listening: socket.socket) -> None:
    systemd = ServiceManager(environment(listening, WATCHDOG_USEC="3"))
    for second in range(2000):
        systemd.alive("fine", float(second))
    assert heard(listening)
