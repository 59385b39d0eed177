"""Writes an endless stream into rolling video files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from avatar_nodes.recording.fragmented_mp4 import FragmentedMp4Writer
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.rolling_folder import SUFFIXES, RollingFolder
from avatar_nodes.recording.stamp_pairing import Pair

_LONGEST_GAP_S = 10.0


@dataclass(frozen=True)
class VideoFormat:
    """Format of the files."""

    width: int
    height: int
    fps: int
    sample_rate: int
    crf: int


class VideoArchive:
    """Writes pairs of frame and sound into one file after the other, each playable by itself.

    A file ends when it is long or large enough, and where the stream itself jumps: back in time, or
    ahead by more than ten seconds.

    Args:
        file_s, file_bytes: length and size at which a new file begins.
        on_file: called with the name of each new file, without suffix, before it is written.
    """

    def __init__(
        self,
        folder: RollingFolder,
        video: VideoFormat,
        *,
        file_s: float,
        file_bytes: int,
        on_file: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._folder = folder
        self._video = video
        self._file_s, self._file_bytes = file_s, file_bytes
        self._on_file = on_file
        self._writer: FragmentedMp4Writer | None = None
        self.file: Path | None = None
        """The file being written, or the last one."""
        self.seconds = 0.0
        """Its length."""
        self.bytes = 0
        """Its size."""

    def write(self, pair: Pair) -> None:
        """Append a pair.

        Raises:
            RecordingError: the disk is full, or the folder gone; the file was closed.
        """
        if self._writer is not None and self._ends(self._writer, pair.stamp_ns):
            self.close()
        try:
            writer = self._writer or self._open()
            writer.write(pair.stamp_ns, pair.frame, pair.sound)
        except RecordingError:
            self._give_up()
            raise
        self._measure(writer)

    def begin(self) -> None:
        """Open a file now, rather than with the first pair.

        Raises:
            RecordingError: it cannot be written; what was opened is to be closed all the same.
        """
        if self._writer is None:
            self._measure(self._open())

    def close(self) -> None:
        """Complete the file.

        Raises:
            RecordingError: the disk is full; what was written before can be played.
        """
        if self._writer is not None:
            writer, self._writer = self._writer, None
            try:
                writer.close()
            finally:
                self._measure(writer)
                self.prune()

    def prune(self) -> None:
        """Remove recordings beyond the folder's limits.

        Raises:
            RecordingError: the folder cannot be reached.
        """
        writing = [self.file] if self._writer is not None and self.file is not None else []
        self._folder.prune([each.with_suffix(s) for each in writing for s in SUFFIXES])

    def _open(self) -> FragmentedMp4Writer:
        name = self._folder.new_name()
        path = self._folder.path / f"{name}.mp4"
        video = self._video
        self._writer = writer = FragmentedMp4Writer(
            path, width=video.width, height=video.height, fps=video.fps,
            sample_rate=video.sample_rate, crf=video.crf,
        )  # fmt: skip
        self.file = path
        self.prune()
        self._on_file(name)
        return writer

    def _ends(self, writer: FragmentedMp4Writer, stamp_ns: int) -> bool:
        ahead_s = writer.place_of(stamp_ns) / self._video.fps - writer.seconds
        jumps = ahead_s < 0.0 or ahead_s > _LONGEST_GAP_S
        return jumps or writer.seconds >= self._file_s or self.bytes >= self._file_bytes

    def _give_up(self) -> None:
        with contextlib.suppress(RecordingError):  # the first error says why
            self.close()

    def _measure(self, writer: FragmentedMp4Writer) -> None:
        self.seconds, self.bytes = writer.seconds, writer.bytes
