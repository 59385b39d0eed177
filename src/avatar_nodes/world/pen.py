"""Draws smooth filled shapes with sub-pixel edges on a picture of twice the size."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

SCALE = 2
_SHIFT = 4
_UNIT = SCALE * (1 << _SHIFT)

Colour = tuple[int, int, int]


class Frame:
    """The place of a body part: scaled and turned (radians) about `pivot`, then shifted; pixels."""

    def __init__(
        self,
        turn: float = 0.0,
        pivot: tuple[float, float] = (0.0, 0.0),
        shift: tuple[float, float] = (0.0, 0.0),
        scale: float = 1.0,
    ) -> None:
        cos, sin = scale * math.cos(turn), scale * math.sin(turn)
        self.matrix = np.array([[cos, sin], [-sin, cos]])
        offset = np.asarray(pivot) - np.asarray(pivot) @ self.matrix + np.asarray(shift)
        self.offset = offset

    def then(self, outer: Frame) -> Frame:
        """This map followed by `outer`."""
        both = Frame()
        both.matrix = self.matrix @ outer.matrix
        both.offset = self.offset @ outer.matrix + outer.offset
        return both

    def __call__(self, points: np.ndarray) -> np.ndarray:
        return points @ self.matrix + self.offset


class Pen:
    """Draws on `canvas` (uint8 [2H,2W,3] RGB); all coordinates are those of the small picture."""

    def __init__(self, canvas: np.ndarray, frame: Frame | None = None) -> None:
        self.canvas = canvas
        self.frame = frame if frame is not None else Frame()

    def at(self, frame: Frame) -> Pen:
        return Pen(self.canvas, frame)

    def fill(self, points: np.ndarray, colour: Colour) -> None:
        """A polygon of points [n,2]."""
        cv2.fillPoly(self.canvas, [self._fixed(points)], colour, cv2.LINE_AA, _SHIFT)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, angle: float = 0.0
    ) -> None:
        points = circle() * (rx, ry)
        if angle:
            points = points @ Frame(angle).matrix
        self.fill(points + (x, y), colour)

    def stroke(self, points: np.ndarray, width: float, colour: Colour) -> None:
        """A line of `width` pixels with round ends through points [n,2]."""
        thickness = max(1, round(width * SCALE))
        cv2.polylines(
            self.canvas, [self._fixed(points)], False, colour, thickness, cv2.LINE_AA, _SHIFT
        )

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        return np.rint(self.frame(np.asarray(points, float)) * _UNIT).astype(np.int32)


@lru_cache(maxsize=1)
def circle() -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def curve(points: list[tuple[float, float]], *, closed: bool = True, steps: int = 8) -> np.ndarray:
    """A smooth line (Catmull-Rom) through `points`: [n,2]."""
    p = np.asarray(points, float)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = (np.arange(steps) / steps)[:, None]
    parts = []
    for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        parts.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    if not closed:
        parts.append(p[-2:-1])
    return np.concatenate(parts)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` with `share` of `b` in it."""
    r, g, c = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return int(r), int(g), int(c)


def darker(colour: Colour, share: float) -> Colour:
    return mix(colour, (20, 16, 40), share)


def lighter(colour: Colour, share: float) -> Colour:
    return mix(colour, (255, 250, 240), share)
