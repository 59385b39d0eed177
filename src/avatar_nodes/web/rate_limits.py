"""Limits the rate of requests, and of wrong tokens, from one address."""

from __future__ import annotations

import ipaddress

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from avatar_nodes.web.web_error import WebError

# Costly requests are rare in ordinary use. The first prefix of a path counts.
_LIMITS: tuple[tuple[str, str, str], ...] = (
    ("uploads", "/api/operator/reference", "12/minute"),
    ("orders", "/api/operator", "120/minute"),
    ("sessions", "/api/sessions", "90/minute"),
    ("pages", "/", "600/minute"),
)
_GUESSES = parse("10/minute")
_RETRY_S = 10


class RateLimits:
    """Counts by address and kind of request, in a minute that moves. Of IPv6, a network of 64 bits
    counts as one address: that is what one customer has."""

    def __init__(self) -> None:
        # By counters: a note of each request would cost memory by request, not by address.
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._limits: list[tuple[str, str, RateLimitItem]] = [
            (name, prefix, parse(limit)) for name, prefix, limit in _LIMITS
        ]

    async def check(self, address: str, path: str) -> None:
        """Count a request. Raises WebError 429: too many of its kind."""
        for name, prefix, limit in self._limits:
            if path.startswith(prefix):
                if not await self._limiter.hit(limit, name, network_of(address)):
                    raise _too_many()
                return

    async def may_guess(self, address: str) -> None:
        """Raises WebError 429: too many wrong tokens have come from there."""
        if not await self._limiter.test(_GUESSES, "guesses", network_of(address)):
            raise _too_many()

    async def guessed(self, address: str) -> None:
        """Count a wrong token."""
        await self._limiter.hit(_GUESSES, "guesses", network_of(address))


def network_of(address: str) -> str:
    """What counts as one address."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((int(known), 64), strict=False))


def _too_many() -> WebError:
    return WebError(429, "Too many requests; wait a little.", retry_s=_RETRY_S)
