"""What the web server answers instead of what was asked for."""

from __future__ import annotations


class WebError(Exception):
    """A request that is refused: HTTP status, and one line for who asked."""

    def __init__(self, status: int, message: str, *, retry_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_s = retry_s
        """Worth another try after so many seconds; 0: not as it is."""


class ServerError(RuntimeError):
    """A web server that cannot be started; one line that says what to change."""
