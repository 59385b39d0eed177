"""Errors of the web server."""

from __future__ import annotations

from avatar_nodes.errors.configuration_error import ConfigurationError


class WebError(Exception):
    """A request that is refused: HTTP status, and one line for the client."""

    def __init__(self, status: int, message: str, *, retry_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_s = retry_s
        """Seconds after which a retry makes sense; 0: a retry makes none."""


class ServerError(ConfigurationError):
    """A web server that cannot be started; one line that says what to change."""
