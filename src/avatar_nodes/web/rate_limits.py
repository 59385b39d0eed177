"""Limits the rate of requests, and of wrong tokens, from one address."""

from __future__ import annotations

import ipaddress
import time
from collections import Counter

from avatar_nodes.web.web_error import WebError

# Costly requests are rare in ordinary use. The first prefix of a path counts.
_LIMITS = {
    "/api/operator/reference": 12,
    "/api/operator": 120,
    "/api/sessions": 90,
    "/": 600,
}
"""Requests a minute."""
_GUESSES, _MOST_GUESSES = "guesses", 10
_MINUTE_S = 60.0
_RETRY_S = 10


class RateLimits:
    """Counts by address and kind of request, in a minute that moves. Of IPv6, a network of 64 bits
    counts as one address: that is what one customer has.

    An address costs the same however many others there are, and is forgotten after two minutes.
    """

    def __init__(self) -> None:
        self._minute = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._before: Counter[tuple[str, str]] = Counter()

    def check(self, address: str, path: str) -> None:
        """Count a request. Raises WebError 429: too many of its kind."""
        for prefix, most in _LIMITS.items():
            if path.startswith(prefix):
                self._leave_room(prefix, address, most)
                self._counts[prefix, network_of(address)] += 1
                return

    def may_guess(self, address: str) -> None:
        """Raises WebError 429: too many wrong tokens have come from there."""
        self._leave_room(_GUESSES, address, _MOST_GUESSES)

    def guessed(self, address: str) -> None:
        """Count a wrong token."""
        self._counts[_GUESSES, network_of(address)] += 1

    def _leave_room(self, kind: str, address: str, most: int) -> None:
        minute, part = divmod(time.monotonic(), _MINUTE_S)
        if minute != self._minute:
            self._before = self._counts if minute == self._minute + 1 else Counter()
            self._counts, self._minute = Counter(), int(minute)
        key = kind, network_of(address)
        # As if those of the minute before had come evenly.
        if self._counts[key] + self._before[key] * (1 - part / _MINUTE_S) >= most:
            raise WebError(429, "Too many requests; wait a little.", retry_s=_RETRY_S)


def network_of(address: str) -> str:
    """What counts as one address."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((int(known), 64), strict=False))
