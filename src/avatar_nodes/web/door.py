"""Finds out who asks, and slows down who guesses."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from avatar_nodes.web.access import AccessRules, Role, bearer_of
from avatar_nodes.web.rate_limits import RateLimits


class Door:
    """The one place where tokens are looked at, whichever way they come."""

    def __init__(self, rules: AccessRules) -> None:
        self.rules = rules
        self.limits = RateLimits()

    def role(self, request: HTTPConnection) -> Role:
        """By cookie, or by `Authorization: Bearer`. Raises WebError 429: see `role_of_token`."""
        if role := self.rules.role_of_cookie(request):
            return role
        token = bearer_of(request)
        return self.role_of_token(request, token) if token else Role.NOBODY

    def role_of_token(self, request: HTTPConnection, token: str) -> Role:
        """What a request's token entitles to. Raises WebError 429: too many wrong ones came from
        the same address, so that this one is not looked at."""
        address = address_of(request)
        self.limits.may_guess(address)
        role = self.rules.role_of_token(token)
        if not role and not self.rules.open:
            self.limits.guessed(address)
        return role


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; empty: unknown."""
    return request.client.host if request.client else ""
