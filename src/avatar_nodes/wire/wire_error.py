"""A message that cannot be used."""

from __future__ import annotations


class WireError(ValueError):
    """A message whose content contradicts itself or what is expected of it.

    Args:
        reason: one word, the same for the same kind of fault, for counting (`dtype`, `shape`,
        `length`, ...). message: one line for the log.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
