"""Writes H.264 and AAC into a fragmented MP4 file, placed in time by their stamps."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from avatar_nodes.marking.metadata import COMMENT, xmp_box
from avatar_nodes.recording.mp4_boxes import cut_to_whole_fragments
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.private_file import make_private_file

_SOUND_BITS_PER_SECOND = 96_000
_FRAGMENT_US = 1_000_000
_SECOND_NS = 1_000_000_000


class FragmentedMp4Writer:
    """Writes frames with their sound, which may have gaps.

    A fragment of about a second is complete in itself, and on the disk as soon as it is written:
    the file can be played at any time, also after `kill -9`, up to its last fragment. Time is the
    stamps': where frames are missing, the one before is shown longer and silence is heard, so that
    picture and sound stay together.

    Args:
        crf: quality, 0 best to 51.

    Raises:
        RecordingError: the folder is missing or not writable, or the size is odd (H.264 in 4:2:0).
    """

    def __init__(
        self, path: Path, *, width: int, height: int, fps: int, sample_rate: int, crf: int = 23
    ) -> None:
        if width % 2 or height % 2:
            raise RecordingError(f"video of {width}x{height}: expected even sides")
        self.path = path
        self._fps, self._sample_rate = fps, sample_rate
        self._first_ns = -1
        self._slot = -1
        self._samples = 0
        self.frames = 0
        try:
            make_private_file(path)  # FFmpeg keeps the mode of a file that is there
            self._container: Any = av.open(
                str(path),
                "w",
                format="mp4",
                options={"movflags": "empty_moov+default_base_moof+frag_keyframe"},
                container_options={"flush_packets": "1", "frag_duration": str(_FRAGMENT_US)},
            )
            self._container.metadata["comment"] = COMMENT
            self._add_streams(width, height, crf)
            self._container.start_encoding()
        except (OSError, av.FFmpegError) as error:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            raise RecordingError(f"{path}: {error.strerror or error}") from error

    @property
    def seconds(self) -> float:
        """Length of what was taken so far."""
        return (self._slot + 1) / self._fps

    @property
    def bytes(self) -> int:
        """Size of the file, as it is on the disk."""
        with contextlib.suppress(OSError):
            return self.path.stat().st_size
        return 0

    def place_of(self, stamp_ns: int) -> int:
        """The frame of this file that a stamp falls on; the first frame's stamp is frame 0."""
        if self._first_ns < 0:
            return 0
        return round((stamp_ns - self._first_ns) * self._fps / _SECOND_NS)

    def write(self, stamp_ns: int, frame: np.ndarray, sound: np.ndarray) -> None:
        """Append a frame, uint8 RGB [H, W, 3], and its sound, int16 mono [n].

        Raises:
            RecordingError: the disk is full. The file can be closed, and played up to here.
            ValueError: the stamp is not later than that of the frame before.
        """
        place = self.place_of(stamp_ns)
        if place <= self._slot:
            raise ValueError(f"frame {place} after frame {self._slot}")
        if self._first_ns < 0:
            self._first_ns = stamp_ns
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts, picture.time_base = place, Fraction(1, self._fps)
        silence = place * self._sample_rate // self._fps - self._samples
        self._slot, self.frames = place, self.frames + 1
        self._mux(self._video.encode(picture))
        if silence > 0:
            self._write_sound(np.zeros(silence, np.int16))
        self._write_sound(sound)

    def close(self) -> None:
        """Complete the file; an empty one is removed.

        Raises:
            RecordingError: the disk is full; the file ends with its last whole fragment.
        """
        try:
            self._finish()
        except RecordingError:
            with contextlib.suppress(OSError):
                cut_to_whole_fragments(self.path)
            raise
        if not self.frames:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
            return
        try:
            with self.path.open("ab") as file:
                file.write(xmp_box())
        except OSError as error:
            raise RecordingError(f"{self.path}: {error.strerror}") from error

    def _finish(self) -> None:
        try:
            if self.frames:
                self._mux([*self._video.encode(None), *self._sound.encode(None)])
        finally:
            self._close_container()

    def _close_container(self) -> None:
        try:
            self._container.close()
        except (OSError, av.FFmpegError) as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}") from error

    def _write_sound(self, samples: np.ndarray) -> None:
        if not len(samples):
            return
        sound = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.int16)[None], format="s16", layout="mono"
        )
        sound.sample_rate, sound.pts = self._sample_rate, self._samples
        sound.time_base = Fraction(1, self._sample_rate)
        self._samples += len(samples)
        self._mux(self._sound.encode(sound))

    def _add_streams(self, width: int, height: int, crf: int) -> None:
        # A key frame a second begins a fragment; no frame waits for later ones.
        options = {"crf": str(crf), "preset": "veryfast", "g": str(self._fps), "bf": "0"}
        options["rc-lookahead"] = "0"
        self._video = self._container.add_stream("libx264", rate=self._fps, options=options)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = Fraction(1, self._fps)
        self._video.codec_context.thread_count = 1
        self._sound = self._container.add_stream(
            "aac", rate=self._sample_rate, layout="mono", bit_rate=_SOUND_BITS_PER_SECOND
        )
        self._sound.time_base = Fraction(1, self._sample_rate)

    def _mux(self, packets: list[Any]) -> None:
        try:
            self._container.mux(packets)
        except (OSError, av.FFmpegError) as error:
            raise RecordingError(f"{self.path}: {error.strerror or error}") from error
