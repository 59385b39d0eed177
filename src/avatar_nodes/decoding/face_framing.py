"""Finds the faces of a picture, and the part of it that frames one as the model expects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_FACE_SHARE = 0.33
"""Height of a face, from brows to chin, as a share of the picture's, in what the model is trained
on."""
_CENTRE = (0.5, 0.42)
"""Where its middle is, from the left and from above."""
_SOUGHT_IN = 800
"""Longest side of the picture in which faces are sought: one of a tenth of it is found."""


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels, from the left and from above."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


def find_faces(picture: Image.Image) -> list[Box] | None:
    """Faces seen from the front, the largest first; None: the package dlib-bin is not there.

    dlib's detector (histograms of oriented gradients) knows photographs and drawings; it needs no
    file of weights.
    """
    try:
        import dlib  # type: ignore[import-untyped]
    except ImportError:
        return None
    scale = min(1.0, _SOUGHT_IN / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    pixels = np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    found = dlib.get_frontal_face_detector()(pixels, 1)
    boxes = [
        Box(
            max(0.0, face.left() / scale), max(0.0, face.top() / scale),
            min(float(picture.width), face.right() / scale),
            min(float(picture.height), face.bottom() / scale),
        )
        for face in found
    ]  # fmt: skip
    boxes = [box for box in boxes if box.width > 0 and box.height > 0]
    return sorted(boxes, key=lambda box: box.width * box.height, reverse=True)


def frame_around(face: Box, size: tuple[int, int], *, aspect: float) -> Box:
    """The part of a picture of `size` (width, height), as wide as `aspect` times its height, in
    which the face is as large and stands where the model has seen faces; the picture's edge moves
    it, and the face is always whole.
    """
    height = min(face.height / _FACE_SHARE, size[1], size[0] / aspect)
    width = height * aspect
    left = (face.left + face.right) / 2 - _CENTRE[0] * width
    top = (face.top + face.bottom) / 2 - _CENTRE[1] * height
    left = min(max(left, 0.0), size[0] - width)
    top = min(max(top, 0.0), size[1] - height)
    return Box(left, top, left + width, top + height)
