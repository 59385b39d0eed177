"""Records a live stream on a thread of its own, without ever holding the stream back."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, replace

import numpy as np

from avatar_nodes.marking.marker import Marker
from avatar_nodes.recording.mcap_file import McapFile
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.rolling_folder import RollingFolder
from avatar_nodes.recording.stamp_pairing import Pair
from avatar_nodes.recording.video_archive import VideoArchive, VideoFormat

_WAIT_S = 10.0
_PRUNE_S = 600.0
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class WireMessage:
    """A message of the graph, serialized as it was sent."""

    topic: str
    kind: str
    data: bytes
    time_ns: int
    offered_qos: str = ""
    """QoS of the topic's publishers, as rosbag2 keeps it."""
    latched: bool = False
    """True: the last one holds, so each new file begins with it."""


@dataclass(frozen=True)
class RecordingLimits:
    """Limits at which a file ends, and at which recording does."""

    file_s: float
    file_bytes: int
    free_bytes: int
    """Recording ends when less is free on the disk."""
    queue_frames: int
    """Frames that may wait to be written; what comes on top is lost."""
    queue_bytes: int = 32 * _MEGABYTE
    """The same for messages."""


@dataclass(frozen=True)
class RecordingStatus:
    """State of a recording."""

    active: bool
    file: str
    seconds: float
    bytes: int
    frames_lost: int
    messages_lost: int
    problem: str
    """One line; empty: none."""


class LiveRecording:
    """Takes frames and messages from any thread; marks, encodes and writes them on its own.

    Args:
        definition_of: of a message type; None: no MCAP file beside the video.
        picture_message: makes the message of a marked frame and its stamp for the MCAP file.
    """

    def __init__(
        self,
        folder: RollingFolder,
        video: VideoFormat,
        limits: RecordingLimits,
        marker: Marker,
        *,
        definition_of: Callable[[str], str] | None = None,
        picture_message: Callable[[np.ndarray, int], WireMessage] | None = None,
    ) -> None:
        self._folder, self._limits, self._marker = folder, limits, marker
        self._definition_of, self._picture_message = definition_of, picture_message
        self._archive = VideoArchive(
            folder, video, file_s=limits.file_s, file_bytes=limits.file_bytes,
            on_file=self._new_mcap,
        )  # fmt: skip
        self._mcap: McapFile | None = None
        self._latched: dict[str, WireMessage] = {}
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recording")
        self._lock = threading.Lock()
        self._pruned_at = -math.inf
        self._frames_waiting = self._bytes_waiting = 0
        self._frames_lost = self._messages_lost = 0
        self._active = False
        self._problem = ""

    @property
    def active(self) -> bool:
        """A recording is under way."""
        return self._active

    @property
    def status(self) -> RecordingStatus:
        """The recording's present state."""
        archive, problem = self._archive, self._problem
        if self._active and self._frames_lost and not problem:
            problem = f"{self._frames_lost} frames lost: writing is too slow"
        return RecordingStatus(
            self._active, str(archive.file or ""), archive.seconds, archive.bytes,
            self._frames_lost, self._messages_lost, problem,
        )  # fmt: skip

    def start(self) -> None:
        """Begin a new file.

        Raises:
            RecordingError: it cannot be written, or the disk is too full.
        """
        self._wait_for(self._start)

    def stop(self) -> None:
        """End the file; what was taken before is in it.

        Raises:
            RecordingError: the disk is full; the file holds what was written before.
        """
        self._active = False
        self._wait_for(self._stop)

    def close(self) -> None:
        """End the file and the thread; `status` then says if that went wrong."""
        self._active = False
        self._writing.submit(self._guarded, self._stop)
        self._writing.shutdown(wait=True)

    def add(self, pair: Pair) -> None:
        """Record a frame with its sound, or lose it if too many wait. Never blocks."""
        if not self._active:
            return
        with self._lock:
            room = self._frames_waiting < self._limits.queue_frames
            self._frames_waiting += room
            self._frames_lost += pair.missing + (not room)
        if room:
            self._writing.submit(self._guarded, self._write_pair, pair)

    def add_message(self, message: WireMessage) -> None:
        """Record a message beside the video, or lose it if too many wait. Never blocks."""
        with self._lock:
            room = self._bytes_waiting + len(message.data) <= self._limits.queue_bytes
            self._bytes_waiting += len(message.data) * room
            self._messages_lost += self._active and not room
        if room:
            self._writing.submit(self._guarded, self._write_message, message)

    def look_after(self) -> None:
        """To be called about once a second: minds the space left on the disk, and removes what
        grows too old, whether or not a recording is under way."""
        if self._active:
            self._writing.submit(self._guarded, self._mind_space)
        if time.monotonic() - self._pruned_at > _PRUNE_S:
            self._pruned_at = time.monotonic()
            self._writing.submit(self._prune)

    def _wait_for(self, work: Callable[[], None]) -> None:
        try:
            self._writing.submit(work).result(_WAIT_S)
        except FutureTimeoutError:
            raise RecordingError(f"{self._folder.path}: the disk does not answer") from None

    def _start(self) -> None:
        if self._active:
            return
        self._problem, self._frames_lost, self._messages_lost = "", 0, 0
        try:
            self._demand_space()
            self._archive.begin()
        except RecordingError as error:
            self._problem = str(error)
            with contextlib.suppress(RecordingError):
                self._stop()
            raise
        self._active = True

    def _stop(self) -> None:
        try:
            self._archive.close()
        finally:
            self._close_mcap()

    def _guarded(self, work: Callable[..., None], *arguments: object) -> None:
        """On the thread: what goes wrong ends the recording, and is kept for `status`."""
        try:
            work(*arguments)
        except Exception as error:
            self._active = False
            self._problem = self._problem or str(error) or type(error).__name__
            with contextlib.suppress(Exception):  # the first error says why
                self._stop()

    def _write_pair(self, pair: Pair) -> None:
        with self._lock:
            self._frames_waiting -= 1
        if self._problem:
            return
        marked = self._marker.mark(pair.frame)
        self._archive.write(replace(pair, frame=marked))
        if self._mcap is not None and self._picture_message is not None:
            self._put(self._picture_message(marked, pair.stamp_ns))

    def _write_message(self, message: WireMessage) -> None:
        with self._lock:
            self._bytes_waiting -= len(message.data)
        if message.latched:
            self._latched[message.topic] = message
        if self._active:
            self._put(message)

    def _put(self, message: WireMessage) -> None:
        if self._mcap is not None:
            self._mcap.write(
                message.topic, message.kind, message.data,
                time_ns=message.time_ns, offered_qos=message.offered_qos,
            )  # fmt: skip

    def _new_mcap(self, name: str) -> None:
        self._close_mcap()
        if self._definition_of is not None:
            self._mcap = McapFile(self._folder.path / f"{name}.mcap", self._definition_of)
            for message in self._latched.values():
                self._put(message)

    def _close_mcap(self) -> None:
        if self._mcap is not None:
            mcap, self._mcap = self._mcap, None
            mcap.close()

    def _mind_space(self) -> None:
        self._demand_space()
        if self._mcap is not None:
            self._mcap.flush()

    def _prune(self) -> None:
        with contextlib.suppress(RecordingError):  # a disk that is away is met when it is written
            self._archive.prune()

    def _demand_space(self) -> None:
        free = self._folder.free_bytes()
        if free < self._limits.free_bytes:
            wanted = self._limits.free_bytes // _MEGABYTE
            raise RecordingError(
                f"{self._folder.path}: {free // _MEGABYTE} MB are free, {wanted} MB are wanted"
            )
