"""Reads off a stream's id which turn of the avatar's speech it belongs to."""

from __future__ import annotations

import re
import uuid

_HIGHEST_TURN = 2**64 - 1
_STREAM = re.compile(r"turn-(\d{1,20})-[0-9a-f]+")


def new_stream(turn: int) -> str:
    """A stream id for the speech of `turn`, never given before (`turn-7-1f0c...`)."""
    return f"turn-{turn}-{uuid.uuid4().hex}"


def turn_of(stream: str) -> int | None:
    """The turn whose speech `stream` is; None: it is no speech of a turn."""
    match = _STREAM.fullmatch(stream)
    turn = int(match.group(1)) if match else -1
    return turn if 0 <= turn <= _HIGHEST_TURN else None
