"""Pictures to be marked: calm colours, a moving shape and noise, as in a video of a person."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np


def scene(count: int, *, side: int = 256, seed: int = 0) -> list[np.ndarray]:
    """uint8 RGB frames [side, side, 3]: a disc moves over a gradient with texture and noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    back = np.stack([190 - rows / 4, 150 + columns / 5, 160 - columns / 6], axis=2)
    texture = cv2.GaussianBlur(rng.normal(0, 40, (side, side, 3)).astype(np.float32), (0, 0), 3)
    back[: side // 3] += texture[: side // 3] * 2
    frames = []
    for number in range(count):
        frame = np.clip(back + rng.normal(0, 1.5, back.shape), 0, 255).astype(np.uint8)
        cv2.circle(frame, (60 + 2 * number, side // 2), 40, (210, 120, 90), -1)
        frames.append(frame)
    return frames


def jpeg(frames: list[np.ndarray], quality: int) -> list[np.ndarray]:
    """The same after JPEG."""
    options = [int(cv2.IMWRITE_JPEG_QUALITY), quality]
    coded = [cv2.imencode(".jpg", frame[:, :, ::-1], options)[1] for frame in frames]
    return [np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))[:, :, ::-1] for data in coded]


def h264(frames: list[np.ndarray], crf: int) -> list[np.ndarray]:
    """The same after H.264, as the recordings are written."""
    buffer: Any = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as file:
        options = {"crf": str(crf), "preset": "veryfast"}
        stream: Any = file.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, 25)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts = number
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
