"""Limits the rate of requests from one address."""

from __future__ import annotations

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter

from avatar_nodes.web.web_error import WebError

# Costly requests are rare in ordinary use. The first prefix of a path counts.
_LIMITS: tuple[tuple[str, str, str], ...] = (
    ("login", "/login", "10/minute"),
    ("uploads", "/api/operator/reference", "12/minute"),
    ("orders", "/api/operator", "120/minute"),
    ("sessions", "/api/sessions", "90/minute"),
    ("pages", "/", "600/minute"),
)
_RETRY_S = 10


class RateLimits:
    """Counts by address and kind of request, in a moving minute."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits: list[tuple[str, str, RateLimitItem]] = [
            (name, prefix, parse(limit)) for name, prefix, limit in _LIMITS
        ]

    async def check(self, address: str, path: str) -> None:
        """Count a request. Raises WebError 429: too many of its kind."""
        for name, prefix, limit in self._limits:
            if path.startswith(prefix):
                if not await self._limiter.hit(limit, name, address):
                    raise WebError(429, "Too many requests; wait a little.", retry_s=_RETRY_S)
                return
