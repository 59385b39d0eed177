"""The error of something that arrives and cannot be used."""

from __future__ import annotations


class RefusedError(Exception):
    """A message, or a part of one, is not taken; what it was for stays as it is.

    Args:
        reason: the same words for the same kind of fault (`dtype`, `shape`, `order`, ...), to be
            counted by. message: what was refused, and why; one line for the log.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class LeftoverError(RefusedError):
    """What is refused belongs to an epoch or a turn that is over or has not begun, or came twice:
    ordinary when one has just begun.
    """
