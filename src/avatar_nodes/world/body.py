"""Draws neck, shoulders, clothes, arms and hands, in coordinates of the 256x256 picture."""

from __future__ import annotations

import math

import numpy as np

from avatar_nodes.world.identity import Identity
from avatar_nodes.world.objects import FOOT_Y, Thing, draw_thing
from avatar_nodes.world.pen import Frame, Pen, curve, darker, lighter, mix

CENTRE_X = 128.0
SHOULDER_Y = 188.0
# Per pose, for the arm at picture side +1: elbow and hand relative to the body's centre line, the
# hand's angle (0 = fingers up, positive = leaning outward) and the stretch of thumb and four
# fingers.
Pose = tuple[tuple[float, float], tuple[float, float], float, tuple[float, ...]]
HAND = (22.0, 30.0, 14.0)
"""How far a hand with its fingers reaches from its palm: to both sides, up and down."""
_REST: Pose = ((74.0, 262.0), (70.0, 330.0), 0.3, (0.6, 0.6, 0.6, 0.6, 0.6))
_POSES: dict[str, Pose] = {
    "wave": ((84.0, 220.0), (93.0, 132.0), 0.10, (1.0, 1.0, 1.0, 1.0, 1.0)),
    "point": ((86.0, 230.0), (82.0, 162.0), 0.75, (0.3, 1.3, 0.0, 0.0, 0.0)),
    "thumbs_up": ((84.0, 238.0), (78.0, 172.0), 0.0, (1.25, 0.0, 0.0, 0.0, 0.0)),
    "shrug": ((82.0, 244.0), (97.0, 196.0), 1.15, (1.0, 1.0, 1.0, 1.0, 1.0)),
    "show": ((87.0, 246.0), (88.0, 198.0), 0.0, (0.9, 0.35, 0.35, 0.35, 0.35)),
}


def draw_torso(pen: Pen, identity: Identity, lift: float) -> None:
    """Neck, torso and collar; `lift` raises the shoulders in pixels."""
    colour = identity.garment
    s = identity.shoulder
    y = SHOULDER_Y - lift
    neck = np.array([(-16.0, 128.0), (16.0, 128.0), (17.5, 165.0), (-17.5, 165.0)]) + (
        CENTRE_X,
        0.0,
    )
    shape = curve(
        [
            (0, 166),
            (20, 163),
            (s - 18, y - 15),
            (s + 6, y - 2),
            (s + 14, 230),
            (s + 16, 276),
            (0, 280),
            (-s - 16, 276),
            (-s - 14, 230),
            (-s - 6, y - 2),
            (18 - s, y - 15),
            (-20, 163),
        ]
    ) + (CENTRE_X, 0)
    pen.fill(shape, colour)
    _pattern(pen, identity)
    for side in (-1, 1):
        fold = curve(
            [(side * (s - 12), y + 22), (side * (s - 7), 226), (side * (s - 5), 262)], closed=False
        )
        pen.stroke(fold + (CENTRE_X, 0), 2.2, darker(colour, 0.16))
    if identity.clothes == "hoodie":
        hood = curve([(-31, 160), (0, 150), (31, 160), (37, 173), (0, 186), (-37, 173)]) + (
            CENTRE_X,
            0,
        )
        pen.fill(hood, darker(colour, 0.18))
    _neckline(pen, identity, neck)


def _neckline(pen: Pen, identity: Identity, neck: np.ndarray) -> None:
    skin, colour, accent = identity.skin, identity.garment, identity.accent
    cx = CENTRE_X
    clothes = identity.clothes
    if clothes == "jacket":
        pen.fill(np.array([(-20, 160), (20, 160), (13, 262), (-13, 262)], float) + (cx, 0), accent)
    depth = {"tshirt": 180.0, "shirt": 176.0, "jacket": 178.0, "hoodie": 178.0, "sweater": 173.0}[
        clothes
    ]
    opening = curve(
        [(-19, 162), (0, 160), (19, 162), (13, depth - 4), (0, depth), (-13, depth - 4)]
    ) + (cx, 0)
    if clothes in ("tshirt", "sweater"):
        pen.fill((opening - (cx, 168)) * (1.17, 1.30) + (cx, 168), darker(colour, 0.14))
    pen.fill(opening, skin)
    pen.fill(neck, skin)
    shadow = curve([(-17, 134), (17, 134), (17, 149), (0, 160), (-17, 149)], steps=5) + (cx, 0)
    pen.fill(shadow, darker(skin, 0.20))
    if clothes in ("shirt", "jacket"):
        flap = colour if clothes == "shirt" else accent
        for side in (-1, 1):
            collar = np.array(
                [(side * 20, 157), (side * 2, 179), (side * 15, 190), (side * 27, 165)], float
            )
            pen.fill(collar + (cx, 0), lighter(flap, 0.14))
    if clothes == "shirt":
        pen.stroke(np.array([(cx, 181.0), (cx, 262.0)]), 1.4, darker(colour, 0.2))
        for y in (196.0, 216.0, 236.0):
            pen.ellipse(cx + 3.5, y, 1.9, 1.9, accent)
    elif clothes == "jacket":
        for side in (-1, 1):
            lapel = np.array(
                [(side * 24, 160), (side * 36, 168), (side * 31, 196), (side * 12, 250)], float
            )
            pen.fill(lapel + (cx, 0), darker(colour, 0.14))
    elif clothes == "hoodie":
        for side in (-1, 1):
            string = curve([(side * 9, 180), (side * 11, 196), (side * 10, 214)], closed=False)
            pen.stroke(string + (cx, 0), 2.2, accent)


def _pattern(pen: Pen, identity: Identity) -> None:
    if identity.clothes in ("jacket", "hoodie") or identity.pattern == "plain":
        return
    half = identity.shoulder - 10
    tone = mix(identity.garment, identity.accent, 0.55)
    if identity.pattern == "stripes":
        for y in (196.0, 212.0, 228.0, 244.0):
            _stripe(pen, half, y, 6.0, tone)
    elif identity.pattern == "band":
        _stripe(pen, half, 212.0, 15.0, tone)
    else:
        for row in range(4):
            for column in range(-3, 4):
                x = column * 15.0 + (7.5 if row % 2 else 0.0)
                if abs(x) < half - 5:
                    pen.ellipse(CENTRE_X + x, 196 + 17.0 * row, 2.6, 2.6, tone)


def _stripe(pen: Pen, half: float, y: float, height: float, colour: tuple[int, int, int]) -> None:
    line = curve([(-half, y), (0, y + 4), (half, y)], closed=False)
    band = np.concatenate([line, line[::-1] + (0.0, height)])
    pen.fill(band + (CENTRE_X, 0), colour)


def draw_arm(
    pen: Pen,
    identity: Identity,
    side: int,
    lift: float,
    weights: dict[str, float],
    wave_angle: float,
    thing: Thing | None = None,
) -> None:
    """One arm, blended from rest (hand below the picture) towards the poses in `weights` (0..1).

    The hand holds `thing`, if there is one.
    """
    if sum(weights.values()) <= 0.0:
        return
    points, turn, fingers = _joints(identity, side, lift, weights, wave_angle)
    _draw_sleeve(pen, identity, points)
    if thing is not None:
        held = held_frame(identity, side, lift, weights, wave_angle)
        draw_thing(pen.at(held.then(pen.frame)), thing)
    _draw_hand(pen.at(turn.then(pen.frame)), identity, side, fingers)


def held_frame(
    identity: Identity, side: int, lift: float, weights: dict[str, float], wave_angle: float
) -> Frame:
    """The frame of a thing in this arm's hand, about its centre, in the torso's coordinates."""
    return Frame(shift=(0.0, -8.0 - FOOT_Y)).then(
        hand_frame(identity, side, lift, weights, wave_angle)
    )


def hand_frame(
    identity: Identity, side: int, lift: float, weights: dict[str, float], wave_angle: float
) -> Frame:
    """The frame of this arm's hand, about its palm, in the torso's coordinates."""
    return _joints(identity, side, lift, weights, wave_angle)[1]


def _joints(
    identity: Identity, side: int, lift: float, weights: dict[str, float], wave_angle: float
) -> tuple[np.ndarray, Frame, np.ndarray]:
    """Shoulder, elbow and hand [3,2]; the hand's frame; the stretch of thumb and fingers [5]."""
    scale = 1.0 / max(1.0, sum(weights.values()))
    elbow, hand = np.array(_REST[0]), np.array(_REST[1])
    angle, fingers = _REST[2], np.array(_REST[3])
    for name, weight in weights.items():
        pose, share = _POSES[name], weight * scale
        elbow = elbow + share * (np.array(pose[0]) - _REST[0])
        hand = hand + share * (np.array(pose[1]) - _REST[1])
        angle += share * (pose[2] - _REST[2])
        fingers = fingers + share * (np.array(pose[3]) - _REST[3])
    hand = hand + (12.0 * math.sin(wave_angle), -lift)
    shoulder = np.array([identity.shoulder - 5.0, SHOULDER_Y - lift + 3.0])
    mirror, origin = np.array([side, 1.0]), np.array([CENTRE_X, 0.0])
    points = np.stack([shoulder, elbow, hand]) * mirror + origin
    turn = Frame(side * (angle + wave_angle), (0, 0), (points[2][0], points[2][1]))
    return points, turn, fingers


def _draw_sleeve(pen: Pen, identity: Identity, points: np.ndarray) -> None:
    colour = lighter(identity.garment, 0.05)
    bare = identity.clothes == "tshirt"
    shoulder, elbow, hand = points
    wrist = elbow + 0.84 * (hand - elbow)
    pen.stroke(np.stack([elbow, hand]), 13.5, identity.skin)
    pen.stroke(np.stack([shoulder, elbow]), 27.0, darker(colour, 0.14))
    pen.stroke(np.stack([shoulder, elbow]), 24.0, colour)
    if bare:
        pen.stroke(np.stack([elbow, elbow + 0.12 * (hand - elbow)]), 23.0, colour)
        return
    pen.stroke(np.stack([elbow, wrist]), 24.0, darker(colour, 0.14))
    pen.stroke(np.stack([elbow, wrist]), 21.0, colour)


def _draw_hand(pen: Pen, identity: Identity, side: int, fingers: np.ndarray) -> None:
    """Fingers up, thumb inward; `fingers`: stretch of thumb, index, middle, ring, little."""
    skin, edge = lighter(identity.skin, 0.04), darker(identity.skin, 0.22)
    bones = []
    for place, stretch in enumerate(fingers[1:]):
        spread = (place - 1.5) * side
        base = np.array([spread * 4.6, -5.0])
        length = (14.0, 16.0, 15.0, 11.5)[place] * max(0.0, float(stretch))
        tip = (
            base
            + length * np.array([math.sin(0.15 * spread), -math.cos(0.15 * spread)])
            + (0.0, -3.0)
        )
        bones.append(np.stack([base, tip]))
    base = np.array([-side * 7.0, 2.0])
    stretch = float(fingers[0])
    raised = max(0.0, stretch - 1.0)  # beyond 1 the thumb turns upright
    up = np.array([-side * (11.0 - 32.0 * raised), -8.0 - 40.0 * raised])
    bones.append(np.stack([base, base + stretch * up]))
    for bone in bones:
        pen.stroke(bone, 8.4, edge)
    pen.ellipse(0.0, 1.0, 12.6, 12.0, edge)
    for bone in bones:
        pen.stroke(bone, 6.6, skin)
    pen.ellipse(0.0, 1.0, 11.7, 11.1, skin)
    for place, stretch in enumerate(fingers[1:]):
        if stretch < 0.35:
            x = (place - 1.5) * side * 4.9
            pen.stroke(np.array([(x, -5.0), (x, 1.5)]), 1.2, edge)
