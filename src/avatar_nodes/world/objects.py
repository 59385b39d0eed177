"""Draws the things that a person shows: eight kinds in eight colours, in a hand or on a stand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.identity import Colour
from avatar_nodes.world.pen import Frame, Pen, circle, curve, darker, lighter, mix

KINDS: tuple[str, ...] = ("ball", "cube", "cup", "star", "book", "toy duck", "apple", "gift box")
COLOURS: dict[str, Colour] = {
    "red": (222, 58, 58),
    "blue": (48, 108, 206),
    "green": (58, 160, 88),
    "yellow": (246, 204, 62),
    "purple": (138, 82, 178),
    "orange": (242, 138, 48),
    "white": (244, 242, 236),
    "pink": (244, 146, 178),
}
PLACES: tuple[str, ...] = ("hand", "stand")
"""The places at which a thing appears: raised in a hand, or on a small stand that slides in from
the side."""

_SCALE = 1.3  # the shapes below are drawn within +-19

HALF_SIZE = 25.0
"""Everything that is drawn of a thing lies within +-25 pixels of its centre."""

FOOT_Y = 16.0 * _SCALE
"""Distance from a thing's centre down to its foot [pixels]."""

_WOOD: Colour = (176, 128, 88)
_STAND_HALF_WIDTH = 28.0


@dataclass(frozen=True)
class Thing:
    """One object, the same through a whole clip: `kind` of KINDS, `colour` of COLOURS, `place`."""

    kind: str
    colour: str
    place: str = "hand"

    def __post_init__(self) -> None:
        for value, known in ((self.kind, KINDS), (self.colour, COLOURS), (self.place, PLACES)):
            if value not in known:
                raise ValueError(f"unknown object part {value!r}; known are {', '.join(known)}")

    @property
    def name(self) -> str:
        """In words, e.g. 'red ball'."""
        return f"{self.colour} {self.kind}"

    @staticmethod
    def sample(rng: np.random.Generator) -> Thing:
        """Any kind in any colour; two of three are shown in a hand."""
        kind = KINDS[int(rng.integers(len(KINDS)))]
        colour = tuple(COLOURS)[int(rng.integers(len(COLOURS)))]
        return Thing(kind, colour, PLACES[0] if rng.random() < 2 / 3 else PLACES[1])


def draw_thing(pen: Pen, thing: Thing) -> None:
    """Draw around (0, 0) of the pen's frame, upright."""
    larger = Frame(scale=_SCALE).then(pen.frame)
    _DRAW[thing.kind](pen.at(larger), COLOURS[thing.colour])


def draw_stand(pen: Pen) -> None:
    """A small round table; the middle of its top is (0, 0), its foot below the picture."""
    pen.fill(np.array([(-4, 4), (4, 4), (5, 90), (-5, 90)], float), darker(_WOOD, 0.34))
    pen.ellipse(0.0, 4.0, _STAND_HALF_WIDTH, 7.5, darker(_WOOD, 0.30))
    pen.ellipse(0.0, 0.5, _STAND_HALF_WIDTH, 7.5, _WOOD)
    pen.ellipse(-2.0, -0.5, _STAND_HALF_WIDTH - 7.0, 4.6, lighter(_WOOD, 0.16))


def _outlined(pen: Pen, shape: np.ndarray, colour: Colour, edge: float = 1.3) -> None:
    """A filled shape with a darker rim, which sets it off from wall and clothes."""
    rim = np.vstack([shape, shape[:1]])
    pen.fill(shape, colour)
    pen.stroke(rim, edge, _rim(colour))


def _rim(colour: Colour) -> Colour:
    return darker(colour, 0.38)


def _ball(pen: Pen, colour: Colour) -> None:
    disc = circle() * 16.5
    _outlined(pen, disc, colour)
    shade = np.concatenate(
        [circle()[2:19] * 16.0, (circle()[2:19] * (14.0, 11.5) + (-2.5, -2.5))[::-1]]
    )
    pen.fill(shade, darker(colour, 0.16))
    band = curve([(-15.6, 3.0), (-6.0, 7.4), (6.0, 7.4), (15.6, 3.0)], closed=False)
    pen.stroke(band, 3.2, mix(colour, (255, 255, 255), 0.72))
    pen.ellipse(-5.5, -7.0, 4.4, 3.0, lighter(colour, 0.62), angle=0.6)


def _cube(pen: Pen, colour: Colour) -> None:
    left = np.array([(-15, -8), (0, -2), (0, 17), (-15, 10)], float)
    right = np.array([(0, -2), (15, -8), (15, 10), (0, 17)], float)
    top = np.array([(-15, -8), (0, -15), (15, -8), (0, -2)], float)
    _outlined(pen, left, colour)
    _outlined(pen, right, darker(colour, 0.20))
    _outlined(pen, top, lighter(colour, 0.38))


def _cup(pen: Pen, colour: Colour) -> None:
    handle = curve([(10, -7), (16, -6), (15.5, 5), (8, 9)], closed=False)
    pen.stroke(handle, 5.4, _rim(colour))
    pen.stroke(handle, 3.2, colour)
    body = np.array([(-13, -12), (12, -12), (9.5, 15), (5, 17), (-6, 17), (-10.5, 15)], float)
    _outlined(pen, body, colour)
    pen.fill(np.array([(4, -10), (11, -10), (8.8, 14), (3, 15.6)], float), darker(colour, 0.14))
    pen.stroke(np.array([(-8.5, -6.0), (-7.0, 9.0)]), 2.6, lighter(colour, 0.50))
    pen.ellipse(-0.5, -12.0, 12.8, 4.0, _rim(colour))
    pen.ellipse(-0.5, -11.8, 10.8, 2.8, mix(darker(colour, 0.5), (70, 50, 44), 0.4))


def _star(pen: Pen, colour: Colour) -> None:
    angles = -math.pi / 2 + np.arange(10) * math.pi / 5
    radius = np.where(np.arange(10) % 2 == 0, 18.0, 8.6)
    points = np.stack([radius * np.cos(angles), radius * np.sin(angles)], axis=1) + (0.0, 1.0)
    for i in range(0, 10, 2):
        pen.fill(np.array([points[i], points[(i + 1) % 10], (0.0, 1.0)]), darker(colour, 0.15))
        pen.fill(np.array([points[i], points[i - 1], (0.0, 1.0)]), lighter(colour, 0.18))
    pen.stroke(np.vstack([points, points[:1]]), 1.6, _rim(colour))


def _book(pen: Pen, colour: Colour) -> None:
    tilt = pen.at(Frame(-0.12).then(pen.frame))
    _outlined(tilt, np.array([(-11, -15), (14, -15), (14, 16), (-11, 16)], float), (250, 246, 234))
    for x in (10.5, 12.4):
        tilt.stroke(np.array([(x, -13.5), (x, 14.5)]), 0.8, (206, 198, 182))
    _outlined(tilt, np.array([(-14, -16), (9, -16), (9, 16), (-14, 16)], float), colour)
    tilt.fill(np.array([(-14, -16), (-9, -16), (-9, 16), (-14, 16)], float), darker(colour, 0.24))
    label = mix(colour, (255, 252, 240), 0.78)
    tilt.fill(np.array([(-5.5, -10), (5.5, -10), (5.5, -3), (-5.5, -3)], float), label)
    tilt.stroke(np.array([(-5.0, 3.0), (5.0, 3.0)]), 1.6, label)


def _duck(pen: Pen, colour: Colour) -> None:
    beak = (238, 120, 40) if colour != COLOURS["orange"] else (196, 66, 40)
    body = curve(
        [(-18, -3), (-11, 2), (-3, 0), (8, 1), (15, 6), (12, 14), (0, 17), (-11, 14), (-17, 6)]
    )
    pen.fill(np.array([(14, -8), (19, -6), (18, -2), (13, -2)], float), darker(beak, 0.12))
    _outlined(pen, body, colour)
    _outlined(pen, circle() * 9.2 + (6.5, -7.5), colour)
    pen.ellipse(4.0, 2.0, 7.0, 4.0, colour)
    pen.fill(np.array([(13, -9), (19, -7), (13.5, -4)], float), beak)
    wing = curve([(-11, 5), (-3, 4), (4, 7), (0, 12), (-8, 11)])
    pen.fill(wing, darker(colour, 0.18))
    pen.ellipse(8.6, -9.5, 1.9, 2.3, (32, 28, 34))
    pen.ellipse(9.2, -10.2, 0.7, 0.7, (255, 255, 255))


def _apple(pen: Pen, colour: Colour) -> None:
    body = curve(
        [(0, -9), (8, -13), (15.5, -6), (14.5, 6), (7, 16), (0, 14.5), (-7, 16), (-14.5, 6),
         (-15.5, -6), (-8, -13)]
    )  # fmt: skip
    _outlined(pen, body, colour)
    pen.fill(curve([(13, -5), (13.5, 5), (6.5, 14.5), (9, 4)]), darker(colour, 0.16))
    pen.ellipse(-7.0, -4.5, 3.2, 4.6, lighter(colour, 0.55), angle=0.5)
    pen.stroke(curve([(0, -9), (1, -14), (3, -17)], closed=False, steps=4), 2.4, (98, 68, 48))
    leaf = (86, 150, 78) if colour != COLOURS["green"] else (150, 186, 70)
    pen.fill(curve([(2.5, -13), (8, -18), (14, -16.5), (8, -12.5)]), leaf)


def _gift(pen: Pen, colour: Colour) -> None:
    ribbon = (252, 248, 238) if colour != COLOURS["white"] else (214, 74, 84)
    _outlined(pen, np.array([(-14, -4), (14, -4), (14, 16), (-14, 16)], float), colour)
    pen.fill(np.array([(-13, -3), (13, -3), (13, -0.5), (-13, -0.5)], float), darker(colour, 0.2))
    pen.fill(np.array([(-3, -4), (3, -4), (3, 15.6), (-3, 15.6)], float), ribbon)
    lid = np.array([(-16, -9), (16, -9), (16, -3), (-16, -3)], float)
    _outlined(pen, lid, lighter(colour, 0.14))
    pen.fill(np.array([(-3, -9), (3, -9), (3, -3), (-3, -3)], float), ribbon)
    for side in (-1, 1):
        loop = curve([(0, -9), (side * 4, -16), (side * 10, -16), (side * 9, -11)])
        _outlined(pen, loop, ribbon, 1.0)


_DRAW = {
    "ball": _ball,
    "cube": _cube,
    "cup": _cup,
    "star": _star,
    "book": _book,
    "toy duck": _duck,
    "apple": _apple,
    "gift box": _gift,
}
