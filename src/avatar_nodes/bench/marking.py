"""Measures the watermark: cost, change of the picture, survival of treatments, false alarms."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from avatar_nodes.marking.file_pictures import pictures_of
from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.marking.reader import WatermarkReader, WatermarkReading
from avatar_nodes.world.clips import Clip, ClipSpec

Frames = list[np.ndarray]
Treatment = Callable[[Frames], Frames]

NUMBER = 40_961
_SIDE, _FPS = 256, 25
_ZOOM = 0.1
_CROP = (slice(10, 240), slice(6, 250))
_UP, _DOWN = 384, 192


@dataclass(frozen=True)
class Survival:
    """One treatment of every sequence."""

    treatment: str
    sequences: int
    marked: int
    """Sequences called marked."""
    numbers: int
    """Sequences whose number was read."""
    lowest_score: float
    first_picture: int
    """Sequences called marked by their first picture alone."""


def clip_frames(seed: int, count: int) -> Frames:
    """Frames of a rendered person that no model has seen, from 1 s on."""
    clip = Clip(ClipSpec.sample(seed, split="test", blocks=2 + count // 12 + _FPS // 12))
    return [clip.frame(_FPS + number) for number in range(count)]


def zoomed(picture: Path, count: int) -> Frames:
    """A photograph as a slow zoom of 256x256 pixels."""
    whole = next(pictures_of(picture))
    height, width = whole.shape[:2]
    frames = []
    for number in range(count):
        side = round(min(height, width) * (1.0 - _ZOOM * number / count))
        top, left = (height - side) // 2, (width - side) // 2
        part = whole[top : top + side, left : left + side]
        frames.append(cv2.resize(part, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))
    return frames


def treatments() -> dict[str, Treatment]:
    """Treatments of marked pictures, by name."""
    h264 = {f"H.264 veryfast, crf {crf}": _h264(crf) for crf in (18, 23, 28, 32)}
    jpeg = {f"JPEG, quality {quality}": _jpeg(quality) for quality in (90, 80, 70, 50)}
    live = {"preset": "veryfast", "tune": "zerolatency", "profile": "baseline"}
    webrtc = {
        f"{name}, {rate / 1e6:g} Mbit/s": _encoder(codec, options, rate)
        for rate in (1_000_000, 500_000)
        for name, codec, options in (
            ("H.264 as in WebRTC", "libx264", live),
            ("VP8 as in WebRTC", "libvpx", {"deadline": "realtime", "cpu-used": "8"}),
        )
    }
    coded = _h264(23)
    geometry: dict[str, Treatment] = {
        "scaled to 1.5, crf 23": lambda frames: coded(_scaled(frames, _UP)),
        "scaled to 0.75, crf 23": lambda frames: coded(_scaled(frames, _DOWN)),
        "cropped to 244x230, crf 23": lambda frames: coded(_cropped(frames)),
        "cropped, scaled to 1.5, crf 23": lambda frames: coded(_enlarged(_cropped(frames))),
        "in shades of grey": _grey,
    }
    return {"as marked": list, **jpeg, **h264, **webrtc, **geometry}


def measure_cost(frames: Frames, choice: MarkingChoice) -> tuple[float, float]:
    """Milliseconds a frame (median), and PSNR of the marked frames [dB]."""
    marker, took, error = Marker(choice), [], 0.0
    marker.mark(frames[0])
    for frame in frames:
        began = time.perf_counter()
        marked = marker.mark(frame)
        took.append(time.perf_counter() - began)
        error += float(np.mean((marked.astype(np.float64) - frame) ** 2))
    return float(np.median(took)) * 1e3, 10.0 * np.log10(255.0**2 * len(frames) / error)


def measure_survival(name: str, treat: Treatment, sequences: Sequence[Frames]) -> Survival:
    """Mark, treat and read each sequence."""
    marker = Marker(MarkingChoice(label=False, number=NUMBER))
    readings, firsts = [], 0
    for frames in sequences:
        treated = treat([marker.mark(frame) for frame in frames])
        readings.append(read(treated))
        firsts += read(treated[:1]).verdict == "marked"
    marked = [reading for reading in readings if reading.verdict == "marked"]
    return Survival(
        name,
        len(sequences),
        len(marked),
        sum(reading.number == NUMBER for reading in marked),
        min(reading.score for reading in readings),
        firsts,
    )


def unmarked_readings(count: int) -> Iterator[WatermarkReading]:
    """Readings of pictures of `count` people that bear no mark; every second one as JPEG."""
    compress = _jpeg(70)
    for seed in range(count):
        frames = clip_frames(100_000 + seed, 1)
        yield read(compress(frames) if seed % 2 else frames)


def read(frames: Sequence[np.ndarray]) -> WatermarkReading:
    """The reader's result for a sequence."""
    reader = WatermarkReader()
    for frame in frames:
        reader.add(frame)
    return reader.read()


def _scaled(frames: Frames, side: int) -> Frames:
    method = cv2.INTER_AREA if side < _SIDE else cv2.INTER_CUBIC
    return [cv2.resize(frame, (side, side), interpolation=method) for frame in frames]


def _cropped(frames: Frames) -> Frames:
    return [np.ascontiguousarray(frame[_CROP]) for frame in frames]


def _enlarged(frames: Frames) -> Frames:
    height, width = (round(length * 1.5) // 2 * 2 for length in frames[0].shape[:2])
    return [cv2.resize(frame, (width, height)) for frame in frames]


def _grey(frames: Frames) -> Frames:
    return [cv2.cvtColor(frame.mean(2).astype(np.uint8), cv2.COLOR_GRAY2RGB) for frame in frames]


def _jpeg(quality: int) -> Treatment:
    options = [int(cv2.IMWRITE_JPEG_QUALITY), quality]

    def treat(frames: Frames) -> Frames:
        coded = [cv2.imencode(".jpg", frame[:, :, ::-1], options)[1] for frame in frames]
        return [np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))[:, :, ::-1] for jpeg in coded]

    return treat


def _h264(crf: int) -> Treatment:
    return _encoder("libx264", {"crf": str(crf), "preset": "veryfast"})


def _encoder(codec: str, options: dict[str, str], bit_rate: int = 0) -> Treatment:
    def treat(frames: Frames) -> Frames:
        buffer: Any = io.BytesIO()
        with av.open(buffer, "w", format="matroska") as file:
            stream: Any = file.add_stream(codec, rate=_FPS, options=options)
            stream.height, stream.width = frames[0].shape[:2]
            stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, _FPS)
            if bit_rate:
                stream.bit_rate = bit_rate
            for number, frame in enumerate(frames):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts = number
                file.mux(stream.encode(picture))
            file.mux(stream.encode(None))
        buffer.seek(0)
        with av.open(buffer) as file:
            return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]

    return treat
