"""Builds the things that people show: eight kinds, and the stand that some come on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avatar_nodes.world.objects import COLOURS, Thing
from avatar_nodes.world.people.mesh import ball, grid_quads, lathe, tube
from avatar_nodes.world.people.rotation import about
from avatar_nodes.world.people.solid import Solid, joined, solid

RADIUS = 0.045
"""Everything of a thing lies within so many metres of its centre."""

FOOT = 0.036
"""Metres from a thing's centre down to its foot."""

STAND_HEIGHT = 0.5
_Colour = np.ndarray
_CREAM, _WOOD, _DARK = (
    np.array((0.98, 0.95, 0.88)),
    np.array((0.55, 0.37, 0.24)),
    np.array((0.04,) * 3),
)


def build(thing: Thing) -> Solid:
    """The thing about its centre, upright, its front to -y."""
    return _BUILD[thing.kind](np.array(COLOURS[thing.colour]) / 255.0)


def stand() -> Solid:
    """A small round table; the middle of its top is the origin."""
    top = lathe(np.array(((0, 0), (0.068, 0), (0.072, -0.004), (0.070, -0.012), (0, -0.014))), 30)
    foot = lathe(np.array(((0.012, -0.012), (0.010, -STAND_HEIGHT))), 14)
    return joined([solid(*top, _WOOD, gloss=0.35), solid(*foot, 0.6 * _WOOD, gloss=0.2)])


def _ball(colour: _Colour) -> Solid:
    vertices, quads = ball(0.036, 29, 30)
    band = np.abs(vertices[:, 2]) < 0.006
    colours = np.where(band[:, None], 0.4 * colour + 0.6, colour)
    made = solid(vertices, quads, colours, gloss=0.5)
    return made.moved(about((0, 1, 0), 0.35), np.zeros(3))


def _cube(colour: _Colour) -> Solid:
    turned = _box((0.030, 0.030, 0.030), colour)
    return turned.moved(about((0, 0, 1), 0.6), np.array((0.0, 0.0, -0.006)))


def _box(half: tuple[float, float, float], colour: _Colour, gloss: float = 0.2) -> Solid:
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = np.array(
        ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
    )
    return solid(corners * half, quads, colour, gloss=gloss, faceted=True)


def _cup(colour: _Colour) -> Solid:
    wall = np.array(
        ((0.0, -0.036), (0.022, -0.036), (0.026, -0.032), (0.031, 0.030), (0.030, 0.031),
         (0.027, 0.028), (0.024, -0.020), (0.0, -0.022))
    )  # fmt: skip
    vertices, quads = lathe(wall, 28)
    inside = np.repeat(np.arange(len(wall)) >= 5, 28)
    colours = np.where(inside[:, None], 0.5 * colour + 0.35, colour)
    angle = np.linspace(-1.2, 1.2, 12)
    handle = np.stack([0.026 + 0.018 * np.cos(angle), 0 * angle, 0.020 * np.sin(angle)], axis=1)
    grip = tube(handle, 0.0042, closed=False)
    return joined([solid(vertices, quads, colours, gloss=0.6), solid(*grip, colour, gloss=0.6)])


def _star(colour: _Colour) -> Solid:
    angle = np.pi / 2.0 + np.arange(10) * np.pi / 5.0
    radius = np.where(np.arange(10) % 2 == 0, 0.040, 0.018)
    rim = np.stack([radius * np.cos(angle), 0 * angle, radius * np.sin(angle)], axis=1)
    vertices = np.vstack([rim, [(0, -0.014, 0)], [(0, 0.014, 0)]])
    place = np.arange(10)
    after = (place + 1) % 10
    quads = np.concatenate(
        [np.stack([place, np.full(10, 10), after, after], axis=1),
         np.stack([after, np.full(10, 11), place, place], axis=1)]
    )  # fmt: skip
    star = solid(vertices, quads, colour, gloss=0.45, faceted=True)
    return star.moved(np.eye(3), np.array((0.0, 0.0, -0.003)))


def _book(colour: _Colour) -> Solid:
    pages = _box((0.026, 0.0085, 0.034), _CREAM, gloss=0.05).moved(
        np.eye(3), np.array((0.002, 0, 0))
    )
    covers = [
        _box((0.029, 0.0012, 0.036), colour).moved(np.eye(3), np.array((0, y, 0)))
        for y in (-0.0098, 0.0098)
    ]
    spine = _box((0.0015, 0.011, 0.036), 0.75 * colour).moved(np.eye(3), np.array((-0.0285, 0, 0)))
    label = _box((0.015, 0.0003, 0.009), 0.3 * colour + 0.65).moved(
        np.eye(3), np.array((0.001, -0.0112, 0.013))
    )
    line = _box((0.013, 0.0003, 0.002), 0.3 * colour + 0.65).moved(
        np.eye(3), np.array((0.001, -0.0112, -0.014))
    )
    book = joined([pages, *covers, spine, label, line])
    return book.moved(about((0, 0, 1), -0.35), np.zeros(3))


def _duck(colour: _Colour) -> Solid:
    beak_colour = np.array((0.93, 0.45, 0.12))
    if colour[0] > 0.9 and 0.4 < colour[1] < 0.7:  # an orange duck's beak is red
        beak_colour = np.array((0.75, 0.22, 0.14))
    vertices, quads = ball(1.0, 16, 24)
    body = vertices * (0.034, 0.026, 0.022)
    tail = np.clip(-(body[:, 0]) / 0.034, 0.0, 1.0) ** 3
    body[:, 2] += 0.016 * tail
    parts = [
        solid(body + (0, 0, -0.014), quads, colour, gloss=0.5),
        solid(vertices * 0.0185 + (0.018, 0, 0.017), quads, colour, gloss=0.5),
        solid(vertices * (0.011, 0.008, 0.0035) + (0.037, 0, 0.014), quads, beak_colour, gloss=0.4),
        solid(vertices * (0.018, 0.006, 0.011) + (-0.006, -0.024, -0.012), quads, 0.88 * colour),
    ]
    for y in (-0.0125, 0.0125):
        parts.append(solid(vertices * 0.003 + (0.0285, y, 0.0225), quads, _DARK, gloss=0.9))
    return joined(parts).moved(about((0, 0, 1), -0.5), np.zeros(3))


def _apple(colour: _Colour) -> Solid:
    height = np.linspace(-np.pi / 2.0, np.pi / 2.0, 18)
    radius = 0.036 * np.cos(height) ** 0.75
    up = 0.033 * np.sin(height) - 0.010 * np.exp(-((radius / 0.012) ** 2)) * np.sign(np.sin(height))
    vertices, quads = lathe(np.stack([radius, up], axis=1), 26)
    vertices[:, :2] *= 1.0 - 0.10 * np.clip(-vertices[:, 2:] / 0.033, 0.0, 1.0)
    stalk = tube(
        np.array(((0, 0, 0.020), (0.001, 0, 0.032), (0.005, 0, 0.042))), 0.0016, closed=False
    )
    leaf_grid = np.linspace(0.0, 1.0, 6)
    across = 0.007 * np.sin(np.pi * leaf_grid)
    leaf = np.concatenate(
        [np.stack([0.004 + 0.024 * leaf_grid, sign * across, 0.036 + 0.010 * leaf_grid], axis=1)
         for sign in (-1.0, 1.0)]
    )  # fmt: skip
    green = np.array((0.34, 0.58, 0.28))
    return joined([
        solid(vertices, quads, colour, gloss=0.5),
        solid(*stalk, 0.7 * _WOOD, gloss=0.1),
        solid(leaf, grid_quads(2, 6), green, gloss=0.2),
    ])  # fmt: skip


def _gift(colour: _Colour) -> Solid:
    ribbon = np.array((0.97, 0.95, 0.90)) if colour.min() < 0.85 else np.array((0.80, 0.22, 0.28))
    shift = np.array
    parts = [
        _box((0.028, 0.028, 0.020), colour).moved(np.eye(3), shift((0, 0, -0.016))),
        _box((0.031, 0.031, 0.006), np.minimum(1.0, 1.1 * colour + 0.04)).moved(
            np.eye(3), shift((0, 0, 0.008))
        ),
    ]
    for half in ((0.0055, 0.0315, 0.0255), (0.0315, 0.0055, 0.0255)):
        parts.append(_box(half, ribbon, gloss=0.4).moved(np.eye(3), shift((0, 0, -0.0110))))
    angle = np.linspace(0.0, 2.0 * np.pi, 18, endpoint=False)
    for sign in (-1.0, 1.0):
        loop = np.stack(
            [sign * (0.012 - 0.012 * np.cos(angle)), 0 * angle, 0.022 + 0.009 * np.sin(angle)],
            axis=1,
        )
        parts.append(solid(*tube(loop, 0.0035, closed=True), ribbon, gloss=0.4))
    return joined(parts).moved(about((0, 0, 1), 0.5), np.zeros(3))


_BUILD: dict[str, Callable[[_Colour], Solid]] = {
    "ball": _ball, "cube": _cube, "cup": _cup, "star": _star, "book": _book, "toy duck": _duck,
    "apple": _apple, "gift box": _gift,
}  # fmt: skip
