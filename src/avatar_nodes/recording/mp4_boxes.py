"""Edits the boxes of MP4 files."""

from __future__ import annotations

import os
import struct
from pathlib import Path

_HEADER = struct.Struct(">I4s")
_LARGE = struct.Struct(">Q")


def cut_to_whole_fragments(path: Path) -> None:
    """Remove an unfinished fragment from the end of a file, such as a full disk leaves.

    Raises:
        OSError: the file cannot be read or cut.
    """
    size, begin, whole = path.stat().st_size, 0, 0
    with path.open("r+b") as file:
        while begin + _HEADER.size <= size:
            file.seek(begin)
            length, kind = _HEADER.unpack(file.read(_HEADER.size))
            if length == 1 and begin + _HEADER.size + _LARGE.size <= size:
                (length,) = _LARGE.unpack(file.read(_LARGE.size))
            if length < _HEADER.size or begin + length > size:
                break
            begin += length
            if kind != b"moof":  # worth nothing without the mdat behind it
                whole = begin
        file.truncate(whole)
        file.flush()
        os.fsync(file.fileno())
