"""Without a canceller: while the avatar plays, only what is clearly more than its echo counts."""

from __future__ import annotations

_FIRST_COUPLING_DB = 6.0
_LOWEST_DB = -60.0
_DOWN_DB, _UP_DB = 0.15, 0.6


class EchoGate:
    """Learns how loud the avatar's voice arrives at the microphone, and asks for more than that.

    The coupling (microphone's level less reference's level) begins pessimistic, falls slowly
    towards what is observed and rises faster, so that it stays near the upper end; while a
    visitor is being heard it is not learned.

    Args:
        margin_db: how much louder than the expected echo a visitor must be.
    """

    def __init__(self, *, margin_db: float) -> None:
        self._margin_db = margin_db
        self.coupling_db = _FIRST_COUPLING_DB
        """Level of the echo at the microphone, relative to the reference [dB]."""

    def passes(self, level_db: float, reference_db: float, *, visitor: bool) -> bool:
        """Whether a window of `level_db` is louder than the echo of one of `reference_db` (the
        loudest of late).

        Args:
            visitor: a turn is open, so that what is heard need not be echo.
        """
        excess = level_db - (reference_db + self.coupling_db)
        if not visitor:
            step = _UP_DB if excess > 0.0 else -_DOWN_DB
            self.coupling_db = max(_LOWEST_DB, self.coupling_db + step)
        return excess > self._margin_db
