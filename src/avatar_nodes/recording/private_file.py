"""Makes files and folders that nobody but their owner can read: visitors are in them."""

from __future__ import annotations

import os
from pathlib import Path


def make_private_file(path: Path) -> None:
    """Make an empty file of mode 0600; one that is there becomes empty and keeps its mode.

    Raises:
        OSError: it cannot be made.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    os.close(descriptor)


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, and those above it that are missing. One that is there keeps its
    mode: it may be shared.

    Raises:
        OSError: it cannot be made.
    """
    for folder in [*reversed(path.parents), path]:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)
