"""Finds, marks and recognises faces by published networks that know nothing of this project.

dlib's detector and, of the package face-recognition-models, 68 landmarks (trained on iBUG 300-W)
and an embedding of 128 numbers in which two pictures of one person are nearer than 0.6.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.judging.footage import JudgeError

SAME_PERSON = 0.6
"""Distance of embeddings below which its authors call two pictures one person's."""
_LEFT_EYE, _RIGHT_EYE, _LIPS = slice(36, 42), slice(42, 48), slice(48, 68)
_INNER_LIPS = ((61, 67), (62, 66), (63, 65))
_LARGE = 400
"""Below this height pictures are sought in at twice their size: a face of 40 pixels is found."""
_SQUARE = 150
"""Side of the picture of a face that the embedding sees."""


@dataclass(frozen=True)
class Face:
    """A face that was found in a picture: its 68 landmarks [68, 2] (x, y) in pixels."""

    landmarks: np.ndarray
    shape: Any
    """The same as dlib has it."""

    @property
    def eye_distance(self) -> float:
        """Between the middles of the eyes, in pixels."""
        left, right = (self.landmarks[eye].mean(axis=0) for eye in (_LEFT_EYE, _RIGHT_EYE))
        return float(np.linalg.norm(left - right))

    @property
    def opening(self) -> float:
        """Distance of the inner lips, as a share of the eyes'."""
        gaps = [self.landmarks[a] - self.landmarks[b] for a, b in _INNER_LIPS]
        return float(np.linalg.norm(gaps, axis=1).mean()) / self.eye_distance

    @property
    def openable(self) -> tuple[tuple[int, int, int, int], ...]:
        """Boxes (x0, y0, x1, y1) of both eyes and the mouth with the chin it moves."""
        grown = 0.35 * self.eye_distance
        jaw = np.concatenate([self.landmarks[_LIPS], self.landmarks[6:11]])
        parts = (self.landmarks[_LEFT_EYE], self.landmarks[_RIGHT_EYE], jaw)
        lows = [np.floor(part.min(axis=0) - grown).astype(int) for part in parts]
        highs = [np.ceil(part.max(axis=0) + grown).astype(int) for part in parts]
        return tuple(
            (int(low[0]), int(low[1]), int(high[0]), int(high[1]))
            for low, high in zip(lows, highs, strict=True)
        )


class FaceJudge:
    """Finds and recognises faces; an `IdentityJudge`, too."""

    name = "face embedding of face-recognition-models"

    def __init__(self) -> None:
        """Raises JudgeError where a package is missing."""
        try:
            import dlib  # type: ignore[import-untyped]
        except ImportError as error:
            raise _missing("dlib-bin", "runtime") from error
        folder = _models()
        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._marks = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
        self._embedding = dlib.face_recognition_model_v1(
            str(folder / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def find(self, frame: np.ndarray) -> Face | None:
        """The largest face in uint8 RGB [H, W, 3] that looks at the camera."""
        frame = np.ascontiguousarray(frame)
        found = self._detector(frame, 1 if frame.shape[0] < _LARGE else 0)
        if not found:
            return None
        shape = self._marks(frame, max(found, key=lambda box: box.area()))
        landmarks = np.array([(point.x, point.y) for point in shape.parts()], np.float32)
        return Face(landmarks, shape)

    def describe(self, frame: np.ndarray, face: Face) -> np.ndarray:
        """float64 [128]: of one person they are nearer than `SAME_PERSON`."""
        chip = self._dlib.get_face_chip(np.ascontiguousarray(frame), face.shape, size=_SQUARE)
        return np.array(self._embedding.compute_face_descriptor(chip))

    def embed(self, frames: np.ndarray) -> Tensor:
        """See `IdentityJudge.embed`; zeros where no face is found."""
        rows = np.zeros((len(frames), 128), np.float32)
        for row, frame in zip(rows, frames, strict=True):
            face = self.find(frame)
            if face is not None:
                vector = self.describe(frame, face)
                row[:] = vector / np.linalg.norm(vector)
        return torch.from_numpy(rows)


def _models() -> Path:
    """The package's files; it is not imported, for that needs setuptools' old pkg_resources."""
    found = importlib.util.find_spec("face_recognition_models")
    for place in (found.submodule_search_locations or ()) if found is not None else ():
        if (Path(place) / "models").is_dir():
            return Path(place) / "models"
    raise _missing("face-recognition-models", "training")


def _missing(package: str, requirements: str) -> JudgeError:
    return JudgeError(
        f"faces are judged with the package {package}, which is missing"
        f" (requirements/{requirements}.txt)"
    )
