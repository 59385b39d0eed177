"""Paints the room behind a person: out of focus, lit, with a window, shelves, plants or lamps."""

from __future__ import annotations

import colorsys

import numpy as np
from scipy.ndimage import gaussian_filter

from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.rotation import smooth_step

SIDE = 320
"""Side of the painted room in pixels; the picture shows a part of it."""


class _Canvas:
    """float [SIDE, SIDE, 3], row 0 at the floor; coordinates 0..1."""

    def __init__(self, colour: np.ndarray) -> None:
        self.y, self.x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
        self.picture = np.ones((SIDE, SIDE, 3)) * colour

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: np.ndarray) -> None:
        inside = (self.x > x0) & (self.x < x1) & (self.y > y0) & (self.y < y1)
        self.picture[inside] = colour

    def glow(self, x: float, y: float, radius: float, colour: np.ndarray) -> None:
        near = np.exp(-((self.x - x) ** 2 + (self.y - y) ** 2) / (radius * radius))
        self.picture += near[..., None] * colour

    def blurred(self, radius: float) -> None:
        for channel in range(3):
            self.picture[..., channel] = gaussian_filter(
                self.picture[..., channel], radius, mode="nearest"
            )


def paint_room(identity: Identity) -> np.ndarray:
    """uint8 [SIDE, SIDE, 3] RGB, row 0 at the bottom."""
    rng = np.random.default_rng([identity.seed, 0x70])
    paint = {"studio": _studio, "home": _home, "office": _office, "evening": _evening}
    canvas = paint[identity.room](rng)
    canvas.picture += rng.normal(0.0, 0.004, canvas.picture.shape)
    return (canvas.picture.clip(0.0, 1.0) * 255.0).astype(np.uint8)


def _hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(float(hue) % 1.0, float(saturation), float(value)))


def _wall(rng: np.random.Generator) -> np.ndarray:
    hue = rng.uniform(0.05, 0.15) if rng.random() < 0.55 else rng.random()
    return _hsv(hue, rng.uniform(0.03, 0.17), rng.uniform(0.58, 0.85))


def _studio(rng: np.random.Generator) -> _Canvas:
    canvas = _Canvas(_hsv(rng.random(), rng.uniform(0.04, 0.28), rng.uniform(0.42, 0.82)))
    far = np.hypot(canvas.x - 0.5 - rng.uniform(-0.2, 0.2), canvas.y - 0.6)
    canvas.picture *= (1.14 - 0.6 * far)[..., None]
    return canvas


def _home(rng: np.random.Generator) -> _Canvas:
    wall = _wall(rng)
    canvas = _Canvas(wall)
    fall = canvas.x if rng.random() < 0.5 else 1.0 - canvas.x
    canvas.picture *= (0.84 + 0.26 * fall)[..., None]
    if rng.random() < 0.5:
        _window(canvas, rng)
    for _ in range(int(rng.integers(0, 3))):
        _shelf(canvas, rng, wall)
    if rng.random() < 0.5:
        _picture_frame(canvas, rng, wall)
    if rng.random() < 0.6:
        _plant(canvas, rng)
    if rng.random() < 0.5:
        canvas.glow(rng.uniform(0.05, 0.95), rng.uniform(0.55, 0.8), 0.15,
                    0.28 * np.array((1.0, 0.8, 0.5)))  # fmt: skip
    canvas.blurred(rng.uniform(3.0, 8.0))
    return canvas


def _office(rng: np.random.Generator) -> _Canvas:
    wall = _hsv(rng.choice((0.55, 0.6, 0.1, 0.0)), rng.uniform(0.0, 0.10), rng.uniform(0.6, 0.86))
    canvas = _Canvas(wall)
    canvas.picture *= (0.88 + 0.2 * canvas.y)[..., None]
    edge = rng.uniform(0.1, 0.9)
    pane = _hsv(rng.uniform(0.5, 0.62), rng.uniform(0.08, 0.25), rng.uniform(0.75, 0.98))
    if rng.random() < 0.6:
        for k in range(3):
            x = edge + 0.22 * (k - 1)
            canvas.box(x, 0.2, x + 0.2, 0.98, pane * rng.uniform(0.9, 1.06))
            canvas.box(x - 0.012, 0.0, x, 1.0, wall * 0.5)
    canvas.box(0.0, 0.0, 1.0, rng.uniform(0.12, 0.26), wall * rng.uniform(0.35, 0.7))
    if rng.random() < 0.6:
        x = rng.uniform(-0.1, 0.8)
        canvas.box(x, 0.3, x + 0.3, 0.62, _hsv(rng.random(), 0.3, 0.25))
        canvas.box(x + 0.01, 0.32, x + 0.29, 0.61, _hsv(rng.random(), 0.35, 0.55))
    if rng.random() < 0.5:
        _plant(canvas, rng)
    canvas.blurred(rng.uniform(4.0, 10.0))
    return canvas


def _evening(rng: np.random.Generator) -> _Canvas:
    canvas = _Canvas(np.zeros(3))
    upper, lower = _hsv(rng.random(), 0.35, 0.32), _hsv(rng.random(), 0.3, 0.16)
    canvas.picture += upper * canvas.y[..., None] + lower * (1.0 - canvas.y)[..., None]
    for _ in range(26):
        x, y, radius = rng.random(), rng.uniform(0.2, 1.0), rng.uniform(0.015, 0.055)
        colour = _hsv(rng.choice((0.08, 0.1, 0.12, 0.55, 0.9)), rng.uniform(0.2, 0.6), 1.0)
        disc = smooth_step(radius, 0.85 * radius, np.hypot(canvas.x - x, canvas.y - y))
        canvas.picture += disc[..., None] * colour * rng.uniform(0.1, 0.4)
    canvas.blurred(1.5)
    return canvas


def _window(canvas: _Canvas, rng: np.random.Generator) -> None:
    x, wide = rng.uniform(-0.1, 0.7), rng.uniform(0.2, 0.4)
    canvas.box(x - 0.02, 0.35, x + wide + 0.02, 0.97, np.array((0.92, 0.91, 0.89)))
    sky = np.array((0.88, 0.94, 1.0)) * rng.uniform(0.9, 1.1)
    canvas.box(x, 0.38, x + wide, 0.94, sky)
    canvas.box(x, 0.38, x + wide, rng.uniform(0.45, 0.6), _hsv(0.3, 0.25, 0.65))
    canvas.box(x + wide / 2 - 0.008, 0.38, x + wide / 2 + 0.008, 0.94, np.array((0.85, 0.85, 0.84)))


def _shelf(canvas: _Canvas, rng: np.random.Generator, wall: np.ndarray) -> None:
    x, y, wide = rng.uniform(-0.1, 0.75), rng.uniform(0.42, 0.8), rng.uniform(0.25, 0.4)
    canvas.box(x, y - 0.02, x + wide, y, wall * 0.45)
    place = x
    while place < x + wide - 0.03:
        thick = rng.uniform(0.015, 0.035)
        colour = _hsv(rng.random(), rng.uniform(0.15, 0.5), rng.uniform(0.3, 0.75))
        canvas.box(place, y, place + thick, y + rng.uniform(0.07, 0.14), colour)
        place += thick + float(rng.choice((0.0, 0.0, 0.01)))


def _picture_frame(canvas: _Canvas, rng: np.random.Generator, wall: np.ndarray) -> None:
    x, y = rng.uniform(0.0, 0.75), rng.uniform(0.5, 0.7)
    wide, high = rng.uniform(0.15, 0.28), rng.uniform(0.15, 0.26)
    canvas.box(x, y, x + wide, y + high, wall * 0.35)
    canvas.box(
        x + 0.012, y + 0.012, x + wide - 0.012, y + high - 0.012, np.array((0.9, 0.89, 0.86))
    )
    inner = _hsv(rng.random(), rng.uniform(0.2, 0.5), rng.uniform(0.4, 0.8))
    canvas.box(x + 0.035, y + 0.035, x + wide - 0.035, y + high - 0.035, inner)


def _plant(canvas: _Canvas, rng: np.random.Generator) -> None:
    x, y = rng.uniform(0.0, 1.0), rng.uniform(0.15, 0.3)
    for _ in range(40):
        leaf_x, leaf_y = x + rng.normal(0.0, 0.06), y + 0.12 + rng.normal(0.0, 0.09)
        near = np.hypot((canvas.x - leaf_x) * 1.6, canvas.y - leaf_y) < rng.uniform(0.012, 0.03)
        canvas.picture[near] = _hsv(0.32 + rng.normal(0.0, 0.03), 0.5, rng.uniform(0.25, 0.55))
