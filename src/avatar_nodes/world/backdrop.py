"""Draws the room behind the person: quiet, out of focus, the same in every frame."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_nodes.world.identity import Colour, Identity
from avatar_nodes.world.pen import SCALE, Pen, curve, darker, lighter, mix

SIZE = 256


def draw_backdrop(identity: Identity) -> np.ndarray:
    """uint8 [512,512,3] RGB."""
    wall = identity.wall
    canvas = _gradient(lighter(wall, 0.16), darker(wall, 0.07))
    rng = np.random.default_rng([identity.background_seed, 0x3B])
    pen = Pen(canvas)
    kind = identity.background
    if kind == "plain":
        canvas[:] = wall
    elif kind == "shelves":
        _shelves(pen, identity, rng)
    elif kind == "window":
        _window(pen, wall, 1 if rng.random() < 0.5 else -1)
    elif kind == "circle":
        pen.ellipse(128, 110, 100, 100, lighter(wall, 0.30))
    elif kind == "panels":
        for x in np.arange(14.0, 256.0, float(rng.uniform(26, 40))):
            pen.stroke(np.array([(x, -4.0), (x, 260.0)]), 2.0, darker(wall, 0.08))
    elif kind == "plant":
        _plant(pen, wall, 1 if rng.random() < 0.5 else -1)
    return cv2.GaussianBlur(canvas, (0, 0), 1.6)


def _gradient(top: Colour, bottom: Colour) -> np.ndarray:
    ramp = np.linspace(0.0, 1.0, SIZE * SCALE)[:, None, None]
    rows = np.array(top) + (np.array(bottom) - np.array(top)) * ramp
    return np.ascontiguousarray(
        np.broadcast_to(rows, (SIZE * SCALE, SIZE * SCALE, 3)).round().astype(np.uint8)
    )


def _shelves(pen: Pen, identity: Identity, rng: np.random.Generator) -> None:
    wall = identity.wall
    tones = [
        mix(wall, c, 0.45)
        for c in ((200, 110, 80), (70, 110, 130), (230, 190, 110), (110, 130, 100), (240, 236, 226))
    ]
    for shelf in (62.0, 122.0, 182.0):
        x = 4.0
        while x < 252.0:
            width, height = float(rng.uniform(7, 13)), float(rng.uniform(26, 42))
            if rng.random() < 0.82:
                tone = tones[rng.integers(len(tones))]
                box = np.array(
                    [
                        (x, shelf),
                        (x + width, shelf),
                        (x + width, shelf - height),
                        (x, shelf - height),
                    ]
                )
                pen.fill(box, tone)
            x += width + 1.5
        pen.fill(
            np.array([(0, shelf), (256, shelf), (256, shelf + 6), (0, shelf + 6)], float),
            darker(wall, 0.22),
        )


def _window(pen: Pen, wall: Colour, side: int) -> None:
    sky, frame = mix((168, 212, 240), wall, 0.25), lighter(wall, 0.55)
    x0, x1 = (150.0, 246.0) if side > 0 else (10.0, 106.0)
    outer = np.array([(x0, 18), (x1, 18), (x1, 150), (x0, 150)], float)
    pen.fill(outer, frame)
    middle = (x0 + x1) / 2
    for a, b in ((x0 + 5, middle - 2.5), (middle + 2.5, x1 - 5)):
        for top, bottom in ((23.0, 80.0), (85.0, 145.0)):
            pen.fill(np.array([(a, top), (b, top), (b, bottom), (a, bottom)]), sky)
    pen.fill(
        np.array([(x0 - 5, 150), (x1 + 5, 150), (x1 + 5, 157), (x0 - 5, 157)], float),
        darker(frame, 0.10),
    )


def _plant(pen: Pen, wall: Colour, side: int) -> None:
    x = 128.0 + side * 98.0
    leaf = mix((92, 142, 98), wall, 0.22)
    for lean, height in ((-26, 62), (-12, 88), (3, 100), (17, 84), (29, 58)):
        tip = (x + lean, 200.0 - height)
        shape = curve(
            [
                (x, 204),
                (x + lean * 0.35 - 9, 200 - height * 0.5),
                tip,
                (x + lean * 0.35 + 9, 200 - height * 0.5),
            ]
        )
        pen.fill(shape, mix(leaf, wall, 0.12 if lean % 2 else 0.0))
    pen.fill(
        np.array([(x - 19, 200), (x + 19, 200), (x + 14, 240), (x - 14, 240)], float),
        mix((206, 132, 96), wall, 0.25),
    )
