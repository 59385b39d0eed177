"""Writes H.264 and AAC into an MP4 file, frame by frame."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.marking.metadata import COMMENT, xmp_box

# Without macroblock trees: on pictures a few macroblocks wide x264 reads past their rows, and the
# same frames give other packets from run to run.
_H264 = {"crf": "18", "preset": "veryfast", "x264-params": "mbtree=0"}
_SOUND_BITS_PER_SECOND = 96_000


class RecordingError(ConfigurationError):
    """A video that cannot be written; one line."""


class Mp4Writer:
    """Writes equally spaced frames and continuous mono sound.

    The file grows as `NAME.partial` beside its place and takes its name when it is complete, so
    what bears the name can be played. Its metadata say that it was made by a machine.

    Args:
        fps: frames per second.
        sample_rate: of the sound [Hz].

    Raises:
        RecordingError: the folder is missing or not writable, or the size is odd (H.264 in 4:2:0).
    """

    def __init__(
        self, path: str | Path, *, width: int, height: int, fps: int, sample_rate: int
    ) -> None:
        if width % 2 or height % 2 or width < 2 or height < 2:
            raise RecordingError(f"video of {width}x{height}: expected even sides")
        self._path = Path(path)
        self._partial = self._path.with_name(self._path.name + ".partial")
        self._size = (height, width, 3)
        self._sample_rate = sample_rate
        # Kept apart: the muxer gives the streams time bases of its own once the header is written.
        self._frame_time, self._sample_time = Fraction(1, fps), Fraction(1, sample_rate)
        self.frames = 0
        self.samples = 0
        try:
            self._container = av.open(str(self._partial), "w", format="mp4")
            self._container.metadata["comment"] = COMMENT
            self._add_streams(width, height, fps)
            self._container.start_encoding()
        except (OSError, av.FFmpegError) as error:
            raise RecordingError(f"{self._path}: {error.strerror or error}") from error

    def write_frame(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 RGB [H, W, 3].

        Raises:
            RecordingError: another size than the video's, or the disk is full.
        """
        if frame.shape != self._size:
            raise RecordingError(f"frame {frame.shape} for a video of {self._size}")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        picture.pts, picture.time_base = self.frames, self._frame_time
        self.frames += 1
        self._mux(self._video.encode(picture))

    def write_sound(self, samples: np.ndarray) -> None:
        """Append int16 mono samples [n].

        Raises:
            RecordingError: the disk is full.
        """
        if not len(samples):
            return
        sound = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples, np.int16)[None], format="s16", layout="mono"
        )
        sound.sample_rate, sound.pts = self._sample_rate, self.samples
        sound.time_base = self._sample_time
        self.samples += len(samples)
        self._mux(self._sound.encode(sound))

    def close(self) -> None:
        """Complete the file and give it its name; an empty one is removed.

        Raises:
            RecordingError: the disk is full.
        """
        if self.frames:
            self._mux(self._video.encode(None))
        if self.samples:
            self._mux(self._sound.encode(None))
        self._container.close()
        if self.frames:
            self._append(xmp_box())
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add_streams(self, width: int, height: int, fps: int) -> None:
        self._video = self._container.add_stream("libx264", rate=fps, options=_H264)
        self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = Fraction(1, fps)
        self._video.codec_context.thread_count = 1
        self._sound = self._container.add_stream(
            "aac", rate=self._sample_rate, layout="mono", bit_rate=_SOUND_BITS_PER_SECOND
        )
        self._sound.time_base = Fraction(1, self._sample_rate)

    def _append(self, box: bytes) -> None:
        try:
            with self._partial.open("ab") as file:
                file.write(box)
        except OSError as error:
            raise RecordingError(f"{self._path}: {error.strerror}") from error

    def _mux(self, packets: list[av.Packet]) -> None:
        try:
            self._container.mux(packets)
        except (OSError, av.FFmpegError) as error:
            raise RecordingError(f"{self._path}: {error.strerror or error}") from error
