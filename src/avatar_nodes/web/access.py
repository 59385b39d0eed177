"""Decides the rights of a request: loopback needs no token, every other address does."""

from __future__ import annotations

import hmac
import ipaddress
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from avatar_nodes.web.web_error import ServerError, WebError

COOKIE = "avatar_access"
COOKIE_S = 30 * 24 * 3600
"""A cookie is good for so long."""
SHORTEST_TOKEN = 16
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


class Role(IntEnum):
    """Rights of a request; each includes those before it."""

    NOBODY = 0
    VISITOR = 1
    OPERATOR = 2


def is_loopback(host: str) -> bool:
    """True if only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True)
class AccessRules:
    """Checks requests.

    Args:
        host: address that the server listens at.
        visitor_token, operator_token: what the two roles prove themselves with; empty: none. With
            neither, on a loopback address, everybody is an operator.
        hosts: further names under which the page is reached (behind a proxy, say).

    Raises:
        ServerError: an address that others reach without a token, or a token that is too short.
    """

    host: str
    visitor_token: str = ""
    operator_token: str = ""
    hosts: Sequence[str] = ()

    def __post_init__(self) -> None:
        for token in filter(None, (self.visitor_token, self.operator_token)):
            if len(token) < SHORTEST_TOKEN:
                raise ServerError(f"a token of {len(token)} signs: expected {SHORTEST_TOKEN}")
        if self.visitor_token and self.visitor_token == self.operator_token:
            raise ServerError("visitors and operators have the same token: expected two")
        if not self.open and not (self.visitor_token or self.operator_token):
            raise ServerError(
                f"address {self.host} is reached by others, so that it needs a token: put one of"
                f" {SHORTEST_TOKEN} signs or more into the environment variable AVATAR_KIOSK_TOKEN"
                " (visitors) or AVATAR_OPERATOR_TOKEN (operators too), or listen at 127.0.0.1"
            )

    @property
    def loopback(self) -> bool:
        """Only this machine reaches the server."""
        return is_loopback(self.host)

    @property
    def open(self) -> bool:
        """Nobody has to prove anything."""
        return self.loopback and not (self.visitor_token or self.operator_token)

    def role_of_cookie(self, request: HTTPConnection) -> Role:
        """The role that a request has without a token."""
        if self.open:
            return Role.OPERATOR
        cookie = request.cookies.get(COOKIE, "")
        issued = cookie.partition(".")[0]
        if not (issued.isascii() and issued.isdecimal() and len(issued) < 16):
            return Role.NOBODY
        if not 0 <= time.time() - int(issued) < COOKIE_S:
            return Role.NOBODY
        for role in (Role.OPERATOR, Role.VISITOR):
            if self._token(role) and _same(cookie, self.cookie(role, int(issued))):
                return role
        return Role.NOBODY

    def role_of_token(self, token: str) -> Role:
        """The role that a token entitles to."""
        for role in (Role.OPERATOR, Role.VISITOR):
            if self._token(role) and _same(token, self._token(role)):
                return role
        return Role.NOBODY

    def cookie(self, role: Role, issued: int) -> str:
        """Proof of a role without its token, from `issued` on [s since 1970]; the same after a
        restart of the server."""
        proof = hmac.new(self._token(role).encode(), f"avatar-kiosk {issued}".encode(), "sha256")
        return f"{issued}.{proof.hexdigest()}"

    def check_names(self, request: HTTPConnection, *, page: bool) -> None:
        """Against pages of others that lead a browser here (DNS rebinding, cross-site requests).

        page: a page of ours is asked for, to which others may link.

        Raises WebError 403: Host is none of ours, or a page of another origin asks.
        """
        host = request.headers.get("host", "")
        name = _name(host)
        if self.open and name not in (*_LOOPBACK_NAMES, *self.hosts):
            raise WebError(403, f"This page is not known as {name!r:.80}.")
        origin = request.headers.get("origin")
        if origin is not None and _host_of(origin) != host:
            raise WebError(403, f"Requests from {origin!r:.80} are not accepted here.")
        if not page and _is_of_others(request, host):
            raise WebError(403, "Requests from other pages are not accepted here.")

    def _token(self, role: Role) -> str:
        return self.operator_token if role is Role.OPERATOR else self.visitor_token


def _is_of_others(request: HTTPConnection, host: str) -> bool:
    """As the browser says of itself; older ones only say which page asks."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    referer = request.headers.get("referer")
    return referer is not None and _host_of(referer) != host


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def bearer_of(request: HTTPConnection) -> str:
    """The token that a request brings; empty: none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _host_of(address: str) -> str:
    """With its port; empty where there is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return ""


def _name(host: str) -> str:
    """A Host header without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
