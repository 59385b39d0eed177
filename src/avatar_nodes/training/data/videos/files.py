"""Reads real video files: pictures at one frame rate in one size, sound at one rate, mono."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import soxr

_USUAL_RATE = 25
"""Frames a second of a file that does not say."""

_GAP_S = 0.05
"""Sound that comes later than this after the sound before it has a gap, which stays silent."""


class VideoError(ValueError):
    """A file that cannot be used; the message says why in a few words."""


@dataclass(frozen=True)
class VideoInfo:
    """Properties of a video file; sizes in pixels as stored."""

    duration_s: float
    width: int
    height: int
    frame_rate: float


def probe(path: Path) -> VideoInfo:
    """Look at the first picture. Raises VideoError when there is none, or no sound."""
    with _opened(path) as container:
        if not container.streams.audio:
            raise VideoError("no sound")
        stream = container.streams.video[0]
        frame = next(container.decode(stream), None)
        if frame is None:
            raise VideoError("no picture")
        rate = float(stream.average_rate or stream.guessed_rate or _USUAL_RATE)
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        else:
            duration = (container.duration or 0) / av.time_base
        return VideoInfo(duration, frame.width, frame.height, rate)


def read_sound(path: Path, sample_rate: int) -> np.ndarray:
    """float32 [samples] in -1..1, mono; sample 0 sounds with the first picture.

    Raises VideoError when there is no sound, or no readable one.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            raise VideoError("no sound")
        zero = _first_time(container.streams.video[0])
        stream = container.streams.audio[0]
        mono = av.AudioResampler(format="flt", layout="mono", rate=stream.rate)
        parts, length, begin = [], 0, None
        for frame in container.decode(stream):
            if frame.time is not None:
                begin = frame.time if begin is None else begin
                gap = frame.time - begin - length / stream.rate
                if gap > _GAP_S:
                    parts.append(np.zeros(round(gap * stream.rate), np.float32))
                    length += len(parts[-1])
            for part in mono.resample(frame):
                parts.append(part.to_ndarray()[0])
                length += len(parts[-1])
        parts += [part.to_ndarray()[0] for part in mono.resample(None)]
        if not parts:
            raise VideoError("no sound")
        sound = soxr.resample(np.concatenate(parts), stream.rate, sample_rate)
    late = round(((begin or zero) - zero) * sample_rate)
    sound = np.concatenate([np.zeros(max(0, late), np.float32), sound[max(0, -late) :]])
    return np.clip(sound, -1.0, 1.0).astype(np.float32)


def read_frames(
    path: Path, start_s: float, count: int, size: tuple[int, int], frame_rate: int
) -> Iterator[np.ndarray]:
    """`count` pictures uint8 RGB [H,W,3], `frame_rate` a second, from `start_s` after the first
    picture.

    Each is what is on the screen in the middle of its time, cut to the shape of `size` (width,
    height) around the centre and scaled. Fewer come when the file ends before.
    Raises VideoError when the file cannot be read.
    """
    with _opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "SLICE"
        start = _first_time(stream) + start_s
        pixel = float(stream.sample_aspect_ratio or 1)
        container.seek(round(start * av.time_base), backward=True)
        shown: av.VideoFrame | None = None
        picture: np.ndarray | None = None
        done = 0
        for frame in container.decode(stream):
            if frame.time is None:
                continue
            while done < count and frame.time > start + (done + 0.5) / frame_rate:
                if picture is None:
                    picture = _fitted(shown or frame, size, pixel)
                yield picture
                done += 1
            if done == count:
                return
            shown, picture = frame, None
        if shown is None or shown.time is None:
            return
        end = shown.time + 1.0 / float(stream.average_rate or _USUAL_RATE)
        while done < count and start + (done + 0.5) / frame_rate < end:
            yield _fitted(shown, size, pixel)
            done += 1


@contextmanager
def _opened(path: Path) -> Iterator[av.container.InputContainer]:
    """The open file; every error of FFmpeg becomes a VideoError."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise VideoError("no picture")
            yield container
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"unreadable: {reason}") from error


def _first_time(stream: av.VideoStream) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _fitted(frame: av.VideoFrame, size: tuple[int, int], pixel: float) -> np.ndarray:
    """Upright, with square pixels, cut around the centre and scaled to `size` (width, height).

    `pixel` is the width of a stored pixel over its height.
    """
    picture = upright(frame.to_ndarray(format="rgb24"), frame.rotation)
    sideways = round(frame.rotation / 90) % 2
    return fit(picture, size, 1.0 / pixel if sideways else pixel)


def upright(picture: np.ndarray, rotation: int) -> np.ndarray:
    """Turn [H,W,3] counter-clockwise by `rotation` degrees, as phones' files ask for."""
    return np.rot90(picture, round(rotation / 90) % 4)


def fit(picture: np.ndarray, size: tuple[int, int], aspect: float = 1.0) -> np.ndarray:
    """Cut uint8 [H,W,3] around its centre to the shape of `size` (width, height), then scale it.

    `aspect` is the width of its pixels over their height.
    """
    height, width = picture.shape[:2]
    wanted = size[0] / size[1]
    shape = width * aspect / height
    if shape > wanted:
        keep = max(1, round(height * wanted / aspect))
        left = (width - keep) // 2
        picture = picture[:, left : left + keep]
    else:
        keep = max(1, round(width * aspect / wanted))
        top = (height - keep) // 2
        picture = picture[top : top + keep]
    larger = picture.shape[0] < size[1]
    how = cv2.INTER_CUBIC if larger else cv2.INTER_AREA
    return cv2.resize(np.ascontiguousarray(picture), size, interpolation=how)
