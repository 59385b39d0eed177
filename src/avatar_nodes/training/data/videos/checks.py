"""Checks that a window of real video shows one face, and lips that fit the sound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.public_syncnet import load_public_syncnet
from avatar_nodes.judging.sync_distance import sync_distance

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels; x1 and y1 exclusive."""

FaceFinder = Callable[[np.ndarray], list[Box]]
"""uint8 RGB [H,W,3] -> the faces in it, in any order."""


class SyncJudge(Protocol):
    """Embeds pictures and sound so that those that belong together lie close."""

    pad: bool

    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        """Video and audio embeddings, [windows, D] each."""
        ...


SAMPLES = 9
"""Pictures of a window that are searched for faces."""
_FOUND_SHARE = 0.5
_SMALLEST_FACE = 0.15
_RIVAL = 0.6
_SEARCH_HEIGHT = 240
_MAX_OFFSET, _MIN_CONFIDENCE = 3, 2.0


@dataclass(frozen=True)
class Verdict:
    """The reason why a window is dropped ('' if it is kept), and the face's median box if it is
    kept."""

    reason: str
    face: Box | None = None


def face_finder() -> tuple[FaceFinder | None, str]:
    """A finder of frontal faces and its name; None, and why there is none.

    OpenCV's Haar cascade where OpenCV still has it (before version 5), else scikit-image's local
    binary patterns.
    """
    haar = Path(getattr(getattr(cv2, "data", None), "haarcascades", "")) / (
        "haarcascade_frontalface_default.xml"
    )
    if hasattr(cv2, "CascadeClassifier") and haar.is_file():
        classifier = cv2.CascadeClassifier(str(haar))
        return (
            lambda picture: _found(
                classifier.detectMultiScale(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), 1.15, 5)
            ),
            f"Haar cascade of OpenCV {cv2.getVersionString()}",
        )
    try:
        from skimage.data import lbp_frontal_face_cascade_filename
        from skimage.feature import Cascade
    except ImportError:
        return None, "skipped: neither OpenCV's Haar cascade nor scikit-image is installed"
    cascade = Cascade(lbp_frontal_face_cascade_filename())

    def find(picture: np.ndarray) -> list[Box]:
        least = max(24, round(_SMALLEST_FACE * picture.shape[0]))
        side = min(picture.shape[:2])
        found = cascade.detect_multi_scale(
            img=np.ascontiguousarray(picture), scale_factor=1.15, step_ratio=1,
            min_size=(least, least), max_size=(side, side),
        )  # fmt: skip
        return _found([(f["c"], f["r"], f["width"], f["height"]) for f in found])

    return find, f"local binary patterns of scikit-image {version('scikit-image')}"


def _found(boxes: Sequence[Sequence[int]]) -> list[Box]:
    """(x, y, width, height) -> (x0, y0, x1, y1)."""
    return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in boxes]


def check_face(frames: np.ndarray, find: FaceFinder) -> Verdict:
    """One face, large enough, in most of the pictures uint8 RGB [F,H,W,3]."""
    height, width = frames.shape[1:3]
    shrink = min(1.0, _SEARCH_HEIGHT / height)
    chosen = np.unique(np.linspace(0, len(frames) - 1, SAMPLES).round().astype(int))
    largest: list[Box] = []
    crowded = 0
    for n in chosen:
        small = cv2.resize(
            frames[n], (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA
        )
        faces = sorted(_merged(find(small)), key=_height, reverse=True)
        if faces:
            largest.append(faces[0])
            crowded += any(_height(face) > _RIVAL * _height(faces[0]) for face in faces[1:])
    if len(largest) < _FOUND_SHARE * len(chosen):
        return Verdict("no face")
    if crowded > _FOUND_SHARE * len(chosen):
        return Verdict("several faces")
    middle = np.median(np.array(largest), axis=0) / shrink
    x0, y0, x1, y1 = (round(v) for v in middle.tolist())
    if y1 - y0 < _SMALLEST_FACE * height:
        return Verdict("face too small")
    return Verdict("", (x0, y0, x1, y1))


def _height(box: Box) -> int:
    return box[3] - box[1]


def _merged(boxes: list[Box]) -> list[Box]:
    """One box a face: a box whose centre lies in a larger one is the same face again."""
    kept: list[Box] = []
    for box in sorted(boxes, key=_height, reverse=True):
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        if not any(k[0] <= x < k[2] and k[1] <= y < k[3] for k in kept):
            kept.append(box)
    return kept


def mouth_of(face: Box) -> Box:
    """The mouth's box within a face's box: the middle of its lower third, with some room."""
    x0, y0, x1, y1 = face
    width, height = x1 - x0, y1 - y0
    return (
        round(x0 + 0.25 * width),
        round(y0 + 0.62 * height),
        round(x0 + 0.75 * width),
        round(y0 + 0.98 * height),
    )


class SyncCheck:
    """Judges by the public SyncNet, or a judge like it, if lips and sound belong together."""

    def __init__(self, judge: SyncJudge) -> None:
        self._judge = judge

    @classmethod
    def load(cls, weights: Path) -> SyncCheck:
        """Raises JudgeError when the file does not hold the public SyncNet's weights."""
        return cls(load_public_syncnet(weights))

    def __call__(
        self, frames: np.ndarray, sound: np.ndarray, face: Box, timing: BlockTiming
    ) -> str:
        """'' or what is wrong, for frames [F,H,W,3] and their sound float32 [n].

        Raises ValueError for clips of fewer frames than the shifts that are compared, JudgeError
        for a timing that the judge does not know.
        """
        crops, mouth = face_crops(frames, face)
        footage = Footage(crops, (mouth,) * len(crops), sound, timing)
        result = sync_distance(*self._judge.embed(footage), pad=self._judge.pad)
        if abs(result.offset) > _MAX_OFFSET or result.confidence < _MIN_CONFIDENCE:
            return "out of sync"
        return ""


def face_crops(frames: np.ndarray, face: Box) -> tuple[np.ndarray, Box]:
    """Squares uint8 [F,256,256,3] with the face as large as SyncNet's input expects, and its mouth.

    The edge is repeated where the square leaves the picture.
    """
    x0, y0, x1, y1 = face
    side = max(16, round(2.1 * (y1 - y0)))
    left, top = (x0 + x1 - side) // 2, round((y0 + y1) / 2 - 0.45 * side)
    rows = np.clip(np.arange(top, top + side), 0, frames.shape[1] - 1)
    columns = np.clip(np.arange(left, left + side), 0, frames.shape[2] - 1)
    crops = np.stack(
        [
            cv2.resize(np.ascontiguousarray(frame[rows[:, None], columns[None]]), (256, 256))
            for frame in frames
        ]
    )
    scale = 256 / side
    a0, b0, a1, b1 = mouth_of(face)
    mouth = tuple(round(v * scale) for v in (a0 - left, b0 - top, a1 - left, b1 - top))
    return crops, (mouth[0], mouth[1], mouth[2], mouth[3])
