"""Tells systemd how a service is, over the socket that it names (sd_notify's protocol)."""

from __future__ import annotations

import contextlib
import math
import socket
from collections.abc import MutableMapping

_BEATS = 3.0
"""Signs of life within the time after which systemd gives a service up."""
_STATUS_S = 10.0
"""Between two words of status where no signs of life are asked for."""
_LONGEST_STATUS = 200


class ServiceManager:
    """Without systemd it says nothing. It never waits and never fails: a service manager that does
    not listen is none of the avatar's business.

    Args:
        environment: is read, and loses the variables, which are not for child processes.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        address = environment.pop("NOTIFY_SOCKET", "")
        environment.pop("WATCHDOG_PID", None)
        limit_us = environment.pop("WATCHDOG_USEC", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watched = limit_us.isdecimal() and int(limit_us) > 0
        self._period_s = int(limit_us) / 1e6 / _BEATS if self._watched else _STATUS_S
        self._beat_at = -math.inf

    def ready(self) -> None:
        """The service is up."""
        self._send("READY=1")

    def alive(self, status: str, now: float) -> None:
        """A sign of life; may be called as often as one likes. now: seconds, monotonic."""
        if self._address and now - self._beat_at >= self._period_s:
            self._beat_at = now
            words = " ".join(status.split())[:_LONGEST_STATUS]
            self._send(*(["WATCHDOG=1"] if self._watched else []), f"STATUS={words}")

    def _send(self, *lines: str) -> None:
        if self._address:
            with (
                contextlib.suppress(OSError),
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as out,
            ):
                out.sendto("\n".join(lines).encode(), self._address)
