"""Draws hair in ten styles, behind head and over forehead. The head's centre is the origin."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.identity import Identity
from avatar_nodes.world.pen import Pen, curve, darker, lighter


def draw_hair_back(pen: Pen, identity: Identity) -> None:
    w, h = identity.head_width, identity.head_height
    colour = darker(identity.hair, 0.14)
    style = identity.hair_style
    if style == "long":
        pen.fill(
            curve(
                [
                    (0, -h - 9),
                    (w + 5, -h * 0.62),
                    (w + 10, 0),
                    (w + 13, 52),
                    (w + 6, 88),
                    (w - 14, 92),
                    (0, 60),
                    (14 - w, 92),
                    (-w - 6, 88),
                    (-w - 13, 52),
                    (-w - 10, 0),
                    (-w - 5, -h * 0.62),
                ]
            ),
            colour,
        )
    elif style == "bob":
        pen.fill(
            curve(
                [
                    (0, -h - 9),
                    (w + 5, -h * 0.62),
                    (w + 11, -2),
                    (w + 12, 36),
                    (w - 2, 48),
                    (0, 40),
                    (2 - w, 48),
                    (-w - 12, 36),
                    (-w - 11, -2),
                    (-w - 5, -h * 0.62),
                ]
            ),
            colour,
        )
    elif style == "bun":
        pen.ellipse(0, -h - 13, 18, 15, colour)
        pen.ellipse(-3, -h - 16, 10, 7, identity.hair)
        pen.ellipse(0, -14, w + 4, h * 0.80, colour)
    elif style == "ponytail":
        pen.fill(
            curve([(w - 4, -34), (w + 18, -22), (w + 24, 18), (w + 12, 58), (w + 4, 30), (w, -4)]),
            colour,
        )
        pen.ellipse(0, -14, w + 3, h * 0.80, colour)
    elif style == "afro":
        for x, y, r in ((0, -34, 40), (-30, -28, 30), (30, -28, 30), (-42, -6, 22), (42, -6, 22)):
            pen.ellipse(x, y, r, r, colour)
    elif style == "curly":
        for x, y, r in ((-36, -26, 18), (36, -26, 18), (-42, -8, 13), (42, -8, 13)):
            pen.ellipse(x, y, r, r, colour)
    elif style != "bald":
        pen.ellipse(0, -14, w + 2.5, h * 0.78, colour)


def draw_hair_front(pen: Pen, identity: Identity, yaw: float) -> None:
    """`yaw` slides the fringe a little with the face."""
    style = identity.hair_style
    w, h = identity.head_width, identity.head_height
    slide = 0.4 * yaw
    colour, light = identity.hair, lighter(identity.hair, 0.12)
    if style == "bald":
        pen.ellipse(-12, -h * 0.66, 10, 4.5, lighter(identity.skin, 0.22), angle=-0.4)
        return
    if style in ("curly", "afro"):
        _curls(pen, h, colour, light, slide)
        return
    pen.fill(_cap(style, w, h) + np.array([slide, 0.0]), colour)
    shine = {"side_part": 12, "quiff": 8}.get(style, -9)
    arc = curve(
        [(shine - 14, -h - 0.5), (shine, -h - 3.0), (shine + 13, -h - 0.5)], closed=False, steps=4
    )
    pen.stroke(arc + np.array([slide, 5.0]), 2.6, light)


def _cap(style: str, w: float, h: float) -> np.ndarray:
    """The outline of the hair over the forehead."""
    top = [
        (-w - 2.5, -2.0),
        (-w - 3.0, -h * 0.46),
        (-w * 0.66, -h * 0.94),
        (0.0, -h - 7.5),
        (w * 0.66, -h * 0.94),
        (w + 3.0, -h * 0.46),
        (w + 2.5, -2.0),
    ]
    fringes: dict[str, list[tuple[float, float]]] = {
        "short": [(w - 4, -16), (w - 9, -30), (12, -36), (-14, -34), (9 - w, -30), (4 - w, -16)],
        "side_part": [(w - 4, -16), (w - 7, -26), (6, -34), (-20, -40), (7 - w, -34), (4 - w, -16)],
        "long": [
            (w - 2, 6),
            (w - 6, -20),
            (14, -38),
            (2, -42),
            (-18, -36),
            (6 - w, -20),
            (2 - w, 6),
        ],
        "bob": [
            (w - 2, 8),
            (w - 5, -14),
            (w - 12, -27),
            (0, -25),
            (12 - w, -27),
            (5 - w, -14),
            (2 - w, 8),
        ],
        "bun": [(w - 3, -12), (w - 9, -32), (0, -42), (9 - w, -32), (3 - w, -12)],
        "ponytail": [(w - 3, -12), (w - 8, -28), (16, -40), (-16, -30), (7 - w, -24), (3 - w, -10)],
        "quiff": [(w - 4, -16), (w - 8, -32), (16, -40), (-14, -40), (8 - w, -32), (4 - w, -16)],
    }
    if style == "quiff":
        top[2:5] = [(-w * 0.74, -h * 1.0), (4.0, -h - 14.0), (w * 0.86, -h * 0.98)]
    return curve(top + fringes[style], steps=5)


def _curls(
    pen: Pen, h: float, colour: tuple[int, int, int], light: tuple[int, int, int], slide: float
) -> None:
    spots = (
        (-34, -34, 13),
        (-20, -46, 14),
        (0, -51, 15),
        (20, -46, 14),
        (34, -34, 13),
        (-26, -34, 10),
        (-10, -40, 11),
        (10, -40, 11),
        (26, -34, 10),
    )
    for x, y, r in spots:
        pen.ellipse(x + slide, y * h / 54.0, r, r, colour)
    for x, y in ((-22, -50), (0, -56), (21, -49)):
        pen.ellipse(x + slide, y * h / 54.0, 4.5, 2.6, light)
