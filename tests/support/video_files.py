"""Small video files with a real face, for whatever reads videos."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT = 320, 240


def portrait(seconds: float, rate: int, *, faces: int = 1) -> Iterator[np.ndarray]:
    """A photograph (scikit-image's astronaut) that sways a little; `faces` of them side by side."""
    from skimage.data import astronaut

    photo = cv2.resize(astronaut()[:300, 70:400], (int(1.1 * HEIGHT), HEIGHT))
    for n in range(round(seconds * rate)):
        sway = np.array([[1.0, 0.0, 5.0 * np.sin(n / rate * 2.0)], [0.0, 1.0, 0.0]])
        moved = cv2.warpAffine(photo, sway, photo.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
        views = [moved] * faces
        yield _centred(np.concatenate(views, axis=1))


def landscape(seconds: float, rate: int) -> Iterator[np.ndarray]:
    """Soft coloured bands that drift: nobody in them."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for n in range(round(seconds * rate)):
        bands = [127 + 90 * np.sin((x + 2 * y) / (40 + 9 * c) + n / rate) for c in range(3)]
        yield np.stack(bands, axis=2).astype(np.uint8)


def tone(seconds: float, rate: int) -> np.ndarray:
    """int16 [samples], stereo samples one after the other: 200 Hz to the left, 300 to the right."""
    t = np.arange(round(seconds * rate)) / rate
    sides = [6000 * np.sin(2 * np.pi * hertz * t) for hertz in (200, 300)]
    return np.stack(sides, axis=1).reshape(-1).astype(np.int16)


def write_video(
    path: Path, frames: Iterator[np.ndarray], *, rate: int, sound: np.ndarray | None,
    sound_rate: int = 44_100, sound_late_s: float = 0.0, pixel: Fraction = Fraction(1),
) -> Path:  # fmt: skip
    """H.264 pictures uint8 RGB [240,320,3] and AAC stereo sound, as cameras write them.

    `pixel` is the width of a pixel over its height.
    """
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.sample_aspect_ratio = pixel
        audio = container.add_stream("aac", rate=sound_rate) if sound is not None else None
        for frame in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and sound is not None:
            for first in range(0, len(sound) // 2, 1024):
                part = sound[2 * first : 2 * (first + 1024)][None]
                chunk = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
                chunk.sample_rate = sound_rate
                chunk.pts = first + round(sound_late_s * sound_rate)
                chunk.time_base = Fraction(1, sound_rate)
                container.mux(audio.encode(chunk))
            container.mux(audio.encode(None))
    return path


def _centred(picture: np.ndarray) -> np.ndarray:
    """Cut or filled with its edge to the size of the video."""
    picture = cv2.resize(picture, None, fx=min(1.0, WIDTH / picture.shape[1]), fy=1.0)
    short = WIDTH - picture.shape[1]
    return np.pad(picture, ((0, 0), (short // 2, short - short // 2), (0, 0)), mode="edge")
