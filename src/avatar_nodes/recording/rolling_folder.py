"""Names new recordings in a folder, and removes old ones beyond its limits."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from pathlib import Path

from avatar_nodes.recording.mp4_writer import RecordingError

_SUFFIXES = (".mp4", ".mcap")


class RollingFolder:
    """Keeps the recordings of one avatar within limits; other files are left alone.

    Args:
        name: begins the name of every recording, such as `avatar`.
        keep_bytes, keep_files: the oldest recordings beyond these are removed; 0: no limit.

    Raises:
        RecordingError: the folder cannot be made. Every method: it can no longer be reached.
    """

    def __init__(self, folder: Path, *, name: str, keep_bytes: int, keep_files: int) -> None:
        self.path = folder
        self._name = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") or "avatar"
        self._ours = re.compile(re.escape(self._name) + r"_\d{8}T\d{6}Z(_\d+)?")
        self._keep_bytes, self._keep_files = keep_bytes, keep_files
        with self._reaching():
            folder.mkdir(parents=True, exist_ok=True)

    def new_name(self, now: datetime | None = None) -> str:
        """A name without suffix that no recording has: `avatar_20260131T235959Z`, in UTC."""
        stamp = (now or datetime.now(timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
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
                if path.suffix in _SUFFIXES and self._ours.fullmatch(path.stem)
            ]
        return sorted(found, key=lambda path: (path.stem.partition("Z")[0], len(path.stem), path))

    def prune(self, writing: Collection[Path] = ()) -> list[Path]:
        """Remove the oldest beyond the limits, never one that is being written; returns these."""
        kept = self.recordings()
        with self._reaching():
            sizes = {path: path.stat().st_size for path in kept}
        removed = []
        for path in list(kept):
            over = self._keep_bytes and sum(sizes[each] for each in kept) > self._keep_bytes
            many = self._keep_files and len(kept) > self._keep_files
            if not (over or many):
                break
            if path not in writing:
                with self._reaching():
                    path.unlink(missing_ok=True)
                kept.remove(path)
                removed.append(path)
        return removed

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
