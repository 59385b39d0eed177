"""Draws the head: outline, ears, eyes, brows, nose, glasses, beard. Its centre is the origin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.identity import Identity
from avatar_nodes.world.mouth import MOUTH_Y, draw_mouth
from avatar_nodes.world.pen import Frame, Pen, curve, darker, lighter, mix

EYE_Y = -7.0


@dataclass(frozen=True)
class Expression:
    """One frame of a face; units as in Performance."""

    aperture: float
    width: float
    rounding: float
    blink: float
    smile: float
    gaze_x: float
    gaze_y: float
    yaw: float
    pitch: float


def outline(identity: Identity, aperture: float) -> np.ndarray:
    """The face's edge [40,2]; the chin drops a little with the jaw."""
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    down = np.clip(np.sin(angles), 0.0, 1.0)
    cos = np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** 0.86
    x = identity.head_width * cos * (1.0 - identity.jaw * down**1.6)
    y = identity.head_height * np.sin(angles) + 3.2 * aperture * down**3
    return np.stack([x, y], axis=1)


def draw_face(pen: Pen, identity: Identity, expression: Expression) -> None:
    """Ears, face and features; hair is drawn before (back) and after (front) by `hair`."""
    skin, shade = identity.skin, darker(identity.skin, 0.16)
    edge = identity.head_width
    for side in (-1, 1):
        x = side * (edge + 0.5) - 0.35 * expression.yaw
        pen.ellipse(x, 1.0, 7.0, 10.5, skin)
        pen.ellipse(x, 1.5, 3.6, 6.2, shade)
    face = outline(identity, expression.aperture)
    pen.fill(face, skin)
    _shade_side(pen, face, identity)
    features = Frame(shift=(expression.yaw, expression.pitch)).then(pen.frame)
    inner = pen.at(features)
    _cheeks(inner, identity, expression)
    _beard(inner, identity, expression)
    _nose(inner, identity)
    _eyes(inner, identity, expression)
    _brows(inner, identity, expression)
    mouth = Frame(shift=(0.0, MOUTH_Y)).then(features)
    draw_mouth(
        pen.at(mouth),
        identity,
        expression.aperture,
        expression.width,
        expression.rounding,
        expression.smile,
    )
    _moustache(inner, identity)
    _glasses(inner, identity, pen, expression)


def _shade_side(pen: Pen, face: np.ndarray, identity: Identity) -> None:
    """A soft crescent of shade along the right cheek and jaw."""
    right = face[(face[:, 0] > 0.30 * identity.head_width) & (face[:, 1] > -8.0)]
    right = right[np.argsort(right[:, 1])]
    if len(right) < 3:
        return
    inner = right[::-1] * (0.87, 0.955)
    inner[0], inner[-1] = right[-1], right[0]
    pen.fill(np.concatenate([right, inner]), darker(identity.skin, 0.09))


def _cheeks(pen: Pen, identity: Identity, expression: Expression) -> None:
    blush = mix(identity.skin, (236, 110, 100), 0.14 + 0.16 * expression.smile)
    for side in (-1, 1):
        x = side * 0.60 * identity.head_width
        pen.ellipse(x, 14.0 - 2.0 * expression.smile, 8.0, 5.2, blush)


def _nose(pen: Pen, identity: Identity) -> None:
    size = identity.nose
    shade = darker(identity.skin, 0.24)
    bridge = curve(
        [(2.0, -2.0), (4.5 * size, 8.5), (0.5, 12.0), (-4.0 * size, 10.0)], closed=False, steps=4
    )
    pen.stroke(bridge, 1.9, shade)
    pen.ellipse(0.3, 6.0, 2.2, 2.8, lighter(identity.skin, 0.10))


def _eyes(pen: Pen, identity: Identity, expression: Expression) -> None:
    lid = darker(identity.skin, 0.16)
    lash = mix(darker(identity.hair, 0.3), (34, 28, 34), 0.6)
    squint = 0.30 * max(0.0, expression.smile - 0.3)
    openness = (1.0 - expression.blink) * (1.0 - squint)
    for side in (-1, 1):
        x, size = side * identity.eye_gap, identity.eye_size
        rx, ry = 8.2 * size, 6.4 * size
        pen.ellipse(x, EYE_Y - 1.0, rx + 1.6, ry + 1.6, lid)
        pen.ellipse(x, EYE_Y, rx, ry, (252, 250, 246))
        gx = x + expression.gaze_x * 1.4 + 0.25 * expression.yaw
        gy = EYE_Y + 0.6 + expression.gaze_y
        pen.ellipse(gx, gy, 5.6 * size, 5.6 * size, identity.eyes)
        pen.ellipse(gx, gy, 3.2 * size, 3.2 * size, (26, 22, 26))
        pen.ellipse(gx + 1.8, gy - 1.9, 1.5, 1.5, (255, 255, 255))
        _lids(pen, identity, x, rx, ry, openness, lash)


def _lids(
    pen: Pen,
    identity: Identity,
    x: float,
    rx: float,
    ry: float,
    openness: float,
    lash: tuple[int, int, int],
) -> None:
    """The upper lid comes down over most of the eye, the lower one up a little."""
    span = np.linspace(-1.0, 1.0, 13)
    arch = np.sqrt(1.0 - span**2)
    ex = x + span * (rx + 0.8)
    over = EYE_Y - (ry + 1.8) * arch
    edge = EYE_Y + 1.8 - (ry * 0.78 + 1.4) * arch * openness + 1.2 * (1 - openness) * arch
    cover = np.concatenate([np.stack([ex, over], 1), np.stack([ex, edge], 1)[::-1]])
    pen.fill(cover, darker(identity.skin, 0.08))
    if openness < 0.95:
        under = EYE_Y + (ry + 1.2) * arch
        low = np.maximum(edge, EYE_Y + (ry + 0.6) * arch * max(openness, 0.12))
        pen.fill(
            np.concatenate([np.stack([ex, low], 1), np.stack([ex, under], 1)[::-1]]), identity.skin
        )
    pen.stroke(np.stack([ex, edge], 1), 1.9, lash)


def _brows(pen: Pen, identity: Identity, expression: Expression) -> None:
    colour = (
        darker(identity.hair, 0.18) if sum(identity.hair) < 480 else darker(identity.hair, 0.32)
    )
    lift = 1.2 * expression.smile
    for side in (-1, 1):
        x, tilt = side * identity.eye_gap, identity.brow_tilt
        arch = curve(
            [
                (x - side * 9.0, EYE_Y - 12.0 + tilt - lift),
                (x + side * 1.0, EYE_Y - 14.8 - lift),
                (x + side * 9.5, EYE_Y - 11.6 - lift),
            ],
            closed=False,
            steps=4,
        )
        pen.stroke(arch, identity.brow_weight, colour)


def _beard(pen: Pen, identity: Identity, expression: Expression) -> None:
    """On the lower face, around the mouth; stubble is the same shape, closer to the skin."""
    if identity.facial_hair not in ("beard", "stubble"):
        return
    full = identity.facial_hair == "beard"
    colour = (
        mix(identity.hair, identity.skin, 0.12) if full else mix(identity.skin, identity.hair, 0.20)
    )
    w, h = identity.head_width, identity.head_height
    face = outline(identity, expression.aperture)
    lower = face[(face[:, 1] > 9.0)]
    lower = lower[np.argsort(-lower[:, 0])] * (1.0, 1.03 if full else 1.0)
    lower = lower - (expression.yaw * 0.9, expression.pitch * 0.9)
    top = curve(
        [
            (-0.86 * w, 12.0),
            (-0.58 * w, 20.0),
            (-0.30 * w, 17.0),
            (0.0, 15.5),
            (0.30 * w, 17.0),
            (0.58 * w, 20.0),
            (0.86 * w, 12.0),
        ],
        closed=False,
        steps=4,
    )
    pen.fill(np.concatenate([lower, top]), colour)
    if full:
        pen.ellipse(0.0, 0.86 * h + 2.5 * expression.aperture, 0.30 * w, 3.0, lighter(colour, 0.06))


def _moustache(pen: Pen, identity: Identity) -> None:
    if identity.facial_hair != "moustache":
        return
    shape = curve(
        [
            (0.0, 13.6),
            (9.0, 14.4),
            (16.0, 19.5),
            (8.0, 18.6),
            (0.0, 17.2),
            (-8.0, 18.6),
            (-16.0, 19.5),
            (-9.0, 14.4),
        ],
        steps=4,
    )
    pen.fill(shape, identity.hair)


def _glasses(pen: Pen, identity: Identity, head: Pen, expression: Expression) -> None:
    if identity.glasses == "none":
        return
    colour, gap = identity.glasses_colour, identity.eye_gap
    for side in (-1, 1):
        x = side * gap
        if identity.glasses == "round":
            ring = np.vstack([_round() * (13.5, 13.0), _round()[:1] * (13.5, 13.0)])
        else:
            ring = np.vstack([_square() * (14.0, 11.0), _square()[:1] * (14.0, 11.0)])
        pen.stroke(ring + (x, EYE_Y), 2.2, colour)
        temple = np.array(
            [[x + side * 13.5, EYE_Y - 3.0], [side * identity.head_width, EYE_Y - 4.0]]
        )
        pen.stroke(temple, 2.0, colour)
    bridge = curve(
        [(-gap + 13.0, EYE_Y - 1.0), (0.0, EYE_Y - 4.0), (gap - 13.0, EYE_Y - 1.0)], closed=False
    )
    pen.stroke(bridge, 2.2, colour)


def _round() -> np.ndarray:
    angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _square() -> np.ndarray:
    p = _round()
    return np.sign(p) * np.abs(p) ** 0.45
