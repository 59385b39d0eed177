"""Names new recordings in a folder, and removes old ones beyond its limits."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.private_file import make_private_folder

SUFFIXES = (".mp4", ".mcap")
_STAMP = "%Y%m%dT%H%M%SZ"
_MEGABYTE = 1_000_000


class RollingFolder:
    """Keeps the recordings of one avatar within limits; other files are left alone.

    Args:
        name: begins the name of every recording, such as `avatar`.
        keep_bytes, keep_files, keep_days: the oldest recordings beyond these are removed; 0: no
            limit. Their age is counted from the time in their names.
        on_removed: called with each one that was removed, and why.

    Raises:
        RecordingError: the folder cannot be made. Every method: it can no longer be reached.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        keep_bytes: int,
        keep_files: int,
        keep_days: float = 0.0,
        on_removed: Callable[[Path, str], None] = lambda path, why: None,
    ) -> None:
        self.path = folder
        self._name = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "avatar"
        self._ours = re.compile(re.escape(self._name) + r"_\d{8}T\d{6}Z(_\d+)?")
        self._keep_bytes, self._keep_files, self._keep_days = keep_bytes, keep_files, keep_days
        self._on_removed = on_removed
        with self._reaching():
            make_private_folder(folder)

    def new_name(self, now: datetime | None = None) -> str:
        """A name without suffix that no recording has: `avatar_20260131T235959Z`, in UTC."""
        stamp = (now or datetime.now(timezone.utc)).strftime(_STAMP)
        taken = {path.stem for path in self.recordings()}
        name, number = f"{self._name}_{stamp}", 1
        while name in taken:
            number += 1
            name = f"{self._name}_{stamp}_{number}"
        return name

    def recordings(self) -> list[Path]:
        """This avatar's recordings, the oldest first."""
        with self._reaching():
            found = [
                path
                for path in self.path.iterdir()
                if path.suffix in SUFFIXES and self._ours.fullmatch(path.stem)
            ]
        return sorted(found, key=lambda path: (path.stem.partition("Z")[0], len(path.stem), path))

    def prune(self, writing: Collection[Path] = (), *, now: datetime | None = None) -> list[Path]:
        """Remove the oldest beyond the limits, never one that is being written; returns these."""
        kept = self.recordings()
        with self._reaching():
            sizes = {path: path.stat().st_size for path in kept}
        expired_before = self._oldest_name(now or datetime.now(timezone.utc))
        removed = []
        for path in list(kept):
            if expired_before and path.stem < expired_before:
                why = f"older than {self._keep_days:g} days"
            elif self._keep_bytes and sum(sizes[each] for each in kept) > self._keep_bytes:
                why = f"more than {self._keep_bytes // _MEGABYTE} MB"
            elif self._keep_files and len(kept) > self._keep_files:
                why = f"more than {self._keep_files} files"
            else:
                break
            if path not in writing:
                with self._reaching():
                    path.unlink(missing_ok=True)
                kept.remove(path)
                removed.append(path)
                self._on_removed(path, why)
        return removed

    def _oldest_name(self, now: datetime) -> str:
        """Recordings whose names come before this one are too old; empty: none is."""
        if not self._keep_days:
            return ""
        return f"{self._name}_{(now - timedelta(days=self._keep_days)).strftime(_STAMP)}"

    def free_bytes(self) -> int:
        """Space left on the disk."""
        with self._reaching():
            return shutil.disk_usage(self.path).free

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """A disk that was taken away, or that refuses: one line that says what to do."""
        try:
            yield
        except OSError as error:
            raise RecordingError(
                f"{self.path}: {error.strerror}: bring its disk back and make it writable, or"
                " choose another folder (archive.folder)"
            ) from None
