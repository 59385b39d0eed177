"""Finds out if a file is marked as made by a machine, from its metadata and its pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from avatar_nodes.marking.file_pictures import PictureFileError, pictures_of
from avatar_nodes.marking.metadata import source_type
from avatar_nodes.marking.provenance import Credentials, ProvenanceError, credentials_of
from avatar_nodes.marking.reader import Verdict, WatermarkReader, WatermarkReading

_SIGNED = (".mp4", ".m4v", ".mov")


@dataclass(frozen=True)
class FileMarks:
    """Marks found in a file's metadata and in its pictures."""

    file: str
    source_type: str | None
    """IPTC's digital source type, where the metadata claims that it was made by a machine."""
    watermark: WatermarkReading
    credentials: Credentials | None
    """C2PA content credentials, of an MP4 file; None: there are none, or c2pa-python is missing."""

    @property
    def verdict(self) -> Verdict:
        """Marked by either; metadata are easily removed, so that their absence says nothing."""
        return "marked" if self.source_type else self.watermark.verdict

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {"verdict": self.verdict, **asdict(self)}


def check_file(path: str | Path) -> FileMarks:
    """Read the marks of an image or video file.

    Raises:
        PictureFileError: it cannot be read, or holds no picture.
    """
    path = Path(path)
    reader = WatermarkReader()
    try:
        claimed = source_type(path)
    except OSError as error:
        raise PictureFileError(f"{path}: {error.strerror}") from None
    try:
        credentials = credentials_of(path) if path.suffix.lower() in _SIGNED else None
    except ProvenanceError as error:
        credentials = Credentials(False, False, "", (str(error),))
    for picture in pictures_of(path):
        reader.add(picture)
    return FileMarks(str(path), claimed, reader.read(), credentials)
