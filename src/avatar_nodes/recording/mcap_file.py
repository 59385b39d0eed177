"""Writes ROS 2 messages, as they came over the wire, into an MCAP file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mcap.writer import CompressionType, Writer

from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.private_file import make_private_file

_CHUNK_BYTES = 256 * 1024
_LIBRARY = "avatar_nodes"


class McapFile:
    """Profile `ros2`: CDR messages with their types' definitions, so that Foxglove and `ros2 bag`
    read it on machines without our message package.

    A file that was not closed lacks its index; `mcap recover` restores it, up to the last flush.

    Args:
        definition_of: the full definition of a type such as `std_msgs/msg/String`, with those it is
            made of.

    Raises:
        RecordingError: the file cannot be written.
    """

    def __init__(self, path: Path, definition_of: Callable[[str], str]) -> None:
        self.path = path
        self._definition_of = definition_of
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._counts: dict[str, int] = {}
        try:
            make_private_file(path)
            self._file: BinaryIO = path.open("wb")
            self._writer = Writer(
                self._file, chunk_size=_CHUNK_BYTES, compression=CompressionType.ZSTD
            )
            self._writer.start(profile="ros2", library=_LIBRARY)
        except OSError as error:
            raise RecordingError(f"{path}: {error.strerror}") from error

    def write(
        self, topic: str, kind: str, data: bytes, *, time_ns: int, offered_qos: str = ""
    ) -> None:
        """Append a message of type `kind`, serialized as CDR. `offered_qos` of a topic's first
        message goes with the topic: `ros2 bag play` publishes it so.

        Raises:
            RecordingError: the disk is full. What `definition_of` raises, too.
        """
        try:
            if topic not in self._channels:
                self._channels[topic] = self._add_channel(topic, kind, offered_qos)
            sequence = self._counts[topic] = self._counts.get(topic, 0) + 1
            self._writer.add_message(
                self._channels[topic], log_time=time_ns, publish_time=time_ns, data=data,
                sequence=sequence,
            )  # fmt: skip
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}") from error

    def flush(self) -> None:
        """Bring what was written to the disk.

        Raises:
            RecordingError: the disk is full.
        """
        try:
            self._writer.flush()
            self._file.flush()
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}") from error

    def close(self) -> None:
        """Write the index and close the file.

        Raises:
            RecordingError: the disk is full; the file can be recovered up to there.
        """
        try:
            self._writer.finish()
            self._file.close()
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}") from error

    def _add_channel(self, topic: str, kind: str, offered_qos: str) -> int:
        if kind not in self._schemas:
            definition = self._definition_of(kind).encode()
            self._schemas[kind] = self._writer.register_schema(kind, "ros2msg", definition)
        return self._writer.register_channel(
            topic, "cdr", self._schemas[kind], metadata={"offered_qos_profiles": offered_qos}
        )
