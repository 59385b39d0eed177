"""builtin_interfaces/Time <-> whole nanoseconds."""

from __future__ import annotations

from builtin_interfaces.msg import Time

_NANOSECONDS = 1_000_000_000


def nanoseconds(stamp: Time) -> int:
    """Nanoseconds since 1970; 0 for a stamp left empty."""
    return int(stamp.sec) * _NANOSECONDS + int(stamp.nanosec)


def stamp_of(nanoseconds: int) -> Time:
    """The stamp of a time in nanoseconds since 1970."""
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return Time(sec=seconds, nanosec=rest)
