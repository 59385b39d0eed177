"""Reads size, counts, rates and lengths from a finished video file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av


class VideoFileError(RuntimeError):
    """A file that holds no video that can be read; one line."""


@dataclass(frozen=True)
class VideoSummary:
    """Size [pixels], counts, rates [1/s] and lengths [s] of a video file."""

    width: int
    height: int
    frames: int
    fps: float
    video_s: float
    audio_s: float
    bytes: int

    def __str__(self) -> str:
        return (
            f"{self.frames} frames of {self.width}x{self.height} at {self.fps:g} fps,"
            f" video {self.video_s:.3f} s, audio {self.audio_s:.3f} s, {self.bytes / 1e6:.2f} MB"
        )


def summarise_video(path: Path) -> VideoSummary:
    """Count the packets of the first video and sound stream of `path`, without decoding.

    Raises:
        VideoFileError: there is no such file, or no video in it.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoFileError(f"{path}: no video stream")
            video = container.streams.video[0]
            sound = next(iter(container.streams.audio), None)
            frames, audio_end = 0, 0.0
            for packet in container.demux():
                if packet.pts is None or packet.duration is None or packet.time_base is None:
                    continue
                if packet.stream is video:
                    frames += 1
                elif packet.stream is sound:
                    end = (packet.pts + packet.duration) * packet.time_base
                    audio_end = max(audio_end, float(end))
            fps = float(video.average_rate or 0)
            return VideoSummary(
                width=video.width,
                height=video.height,
                frames=frames,
                fps=fps,
                video_s=frames / fps if fps else 0.0,
                audio_s=audio_end,
                bytes=path.stat().st_size,
            )
    except (OSError, av.FFmpegError) as error:
        raise VideoFileError(f"{path}: {error.strerror or error}") from error
