"""Reads a few pictures of an image or video file, from all over its length."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

_PLACES, _PICTURES_EACH = 12, 5
_LARGEST_SIDE = 8192


class PictureFileError(RuntimeError):
    """A file without readable pictures; one line."""


def pictures_of(path: Path) -> Iterator[np.ndarray]:
    """Yield uint8 RGB frames [H, W, 3] of one size: of a still image it, of a video up to 60.

    Raises:
        PictureFileError: there is no such file, or it holds no picture that can be decoded.
    """
    count = 0
    try:
        with av.open(str(path)) as file:
            if not file.streams.video:
                raise PictureFileError(f"{path}: no picture in it")
            size: tuple[int, ...] | None = None
            for frame in _spread(file):
                size = size or frame.shape
                if frame.shape == size:  # a stream may change its size; the first one counts
                    count += 1
                    yield frame
    except (OSError, av.FFmpegError) as error:
        if not count:
            raise PictureFileError(f"{path}: {error.strerror or error}") from None
    if not count:
        raise PictureFileError(f"{path}: no picture in it can be decoded")


def _spread(file: av.container.InputContainer) -> Iterator[np.ndarray]:
    """Some pictures from each of several places; from the start alone where one cannot seek."""
    stream = file.streams.video[0]
    if max(stream.codec_context.width, stream.codec_context.height) > _LARGEST_SIDE:
        raise PictureFileError(f"{file.name}: pictures above {_LARGEST_SIDE} pixels a side")
    for place in range(_PLACES):
        begin_s = (file.duration or 0) * place / _PLACES / av.time_base
        if place and not _seek(file, begin_s):
            return
        there = (frame for frame in _decoded(file) if (frame.time or 0.0) >= begin_s)
        for frame in itertools.islice(there, _PICTURES_EACH):
            yield frame.to_ndarray(format="rgb24")


def _decoded(file: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """Pictures up to the first that is damaged or cut off."""
    try:
        yield from file.decode(video=0)
    except av.FFmpegError:
        return


def _seek(file: av.container.InputContainer, seconds: float) -> bool:
    """Go to the key frame before a time; False: the file has no length, or no way there."""
    if not file.duration:
        return False
    try:
        file.seek(int(seconds * av.time_base))
    except av.FFmpegError:
        return False
    return True
