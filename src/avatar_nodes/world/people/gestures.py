"""Turns a performance into poses: head, shoulders, and hands that wave, point, show."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from avatar_nodes.world.motion import SHOW, Performance
from avatar_nodes.world.people.camera import Camera
from avatar_nodes.world.people.rotation import about, unit
from avatar_nodes.world.people.skeleton import SIDES, Hand, Pose, Skeleton

# Radians of this world for one pixel of the performance's tracks.
YAW, PITCH, GAZE, SHRUG, LEAN = 0.040, 0.038, 0.10, 0.030, 0.0045
_FIST = (1.45, 1.60, 1.00)
_OPEN = (0.05, 0.08, 0.06)
_HALF_REACH = 0.92  # a hand further away than this share of the arm is brought nearer


@dataclass(frozen=True)
class _Gesture:
    """A hand by its place in the picture and its depth.

    place: metres of the wrist from the mouth, towards the acting side and up, as the camera sees
    them; hands stay within the picture, and off the mouth. depth: metres before the shoulders.
    Directions are those of a left hand: x outwards, y to the back, z up.
    """

    place: tuple[float, float]
    depth: float
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    curl: tuple[tuple[float, float, float], ...]
    spread: float = 0.0
    thumb: tuple[float, float] = (0.0, 0.0)
    elbow: tuple[float, float, float] = (0.75, 0.25, -1.0)


GESTURES: dict[str, _Gesture] = {
    "wave": _Gesture(
        (0.152, -0.085), 0.13, (0.06, -0.08, 1.0), (-0.10, -1.0, -0.05),
        ((0.0, 0.05, 0.05), *[_OPEN] * 4), 0.10, (0.32, 0.0),
    ),
    "point": _Gesture(
        (0.150, -0.120), 0.15, (0.50, -0.40, 0.80), (-0.55, -0.80, -0.10),
        ((0.35, 0.55, 0.55), (0.0, 0.04, 0.03), *[_FIST] * 3),
    ),
    "thumbs_up": _Gesture(
        (0.178, -0.140), 0.14, (-0.50, -0.85, 0.10), (-0.78, 0.58, -0.05),
        ((-0.30, -0.10, -0.12), *[_FIST] * 4), 0.0, (0.30, 0.0),
    ),
    "shrug": _Gesture(
        (0.170, -0.165), 0.12, (0.45, -0.72, 0.40), (-0.05, -0.42, 0.90),
        ((-0.05, 0.10, 0.10), *[(0.14, 0.22, 0.15)] * 4), 0.07, (0.25, 0.0),
    ),
    SHOW: _Gesture(
        (0.185, -0.185), 0.16, (-0.42, -0.80, 0.20), (0.0, -0.22, 0.98),
        ((-0.20, 0.05, 0.05), *[(0.06, 0.14, 0.12)] * 4), 0.08, (0.45, 0.0),
    ),
}  # fmt: skip
_EDGE = 0.84  # of the picture's half: no wrist beyond


def pose(
    performance: Performance, n: int, skeleton: Skeleton, camera: Camera, mouth: np.ndarray
) -> Pose:
    """The pose of frame `n`; mouth: where it is at rest [3].

    The head looks towards the camera unless the performance turns it.
    """
    p = performance
    line = camera.eye - skeleton.head("head")
    towards_camera = 0.85 * float(np.arctan2(line[0], -line[1]))
    lean = (
        0.010 * float(p.breath[n]),
        float(p.torso_turn[n]) * 1.6 + LEAN * float(p.torso_x[n]),
        0.08 * YAW * float(p.yaw[n]),
    )
    head = (
        YAW * float(p.yaw[n]) + towards_camera,
        _bowed(float(p.pitch[n]) + 0.5 * float(p.head_y[n])),
        float(p.head_turn[n]) * 1.3 + 0.004 * float(p.head_x[n]),
    )
    hands = {}
    acting = "L" if p.side > 0 else "R"
    for side in SIDES:
        hand = _hand(p, n, side, side == acting, skeleton, camera, mouth)
        if hand is not None:
            hands[side] = hand
    return Pose(lean, head, SHRUG * float(p.lift[n]), float(p.breath[n]), hands)


def _bowed(pitch: float) -> float:
    """Heads go further down than up."""
    return PITCH * (pitch if pitch > 0.0 else 0.45 * pitch)


def _hand(
    p: Performance,
    n: int,
    side: str,
    acts: bool,
    skeleton: Skeleton,
    camera: Camera,
    mouth: np.ndarray,
) -> Hand | None:
    """The hand between hanging and what it does, on an arc before the body; None: it hangs."""
    weights = {"shrug": float(p.shrug[n])}
    if acts:
        weights.update({name: float(getattr(p, name)[n]) for name in GESTURES if name != "shrug"})
        if p.thing is None or p.thing.place != "hand":
            weights.pop(SHOW)
    raised = max(weights.values())
    if raised <= 0.0:
        return None
    swing = float(p.wave_angle[n]) if acts else 0.0
    total = sum(weights.values())
    goal: Hand | None = None
    mixed = 0.0
    for name, weight in weights.items():
        if weight > 0.0:
            hand = _held(GESTURES[name], side, skeleton, camera, mouth, swing)
            mixed += weight / total
            goal = hand if goal is None else goal.towards(hand, weight / total / mixed)
    assert goal is not None
    start = skeleton.hanging(side)
    hand = start.towards(goal, raised)
    arc = 4.0 * raised * (1.0 - raised)
    wrist = hand.wrist + arc * np.array([0.05 * SIDES[side], -0.10, 0.0])
    return replace(hand, wrist=wrist)


def _held(
    gesture: _Gesture,
    side: str,
    skeleton: Skeleton,
    camera: Camera,
    mouth: np.ndarray,
    swing: float,
) -> Hand:
    sign = SIDES[side]
    mirror = np.array([sign, 1.0, 1.0])
    turn = about((0, 1, 0), 0.9 * sign * swing)
    shoulder = skeleton.shoulder(side)
    depth = float(np.linalg.norm(camera.eye - shoulder)) - gesture.depth
    half = float(np.linalg.norm(camera.eye - mouth) * np.tan(camera.field / 2.0))
    x, y = camera.pixels(mouth[None], 2)[0]
    aside, up = gesture.place
    right = (x - 1.0) + sign * (aside + 0.035 * swing) / half
    above = (1.0 - y) + (up - 0.012 * abs(swing)) / half
    right, above = np.clip((right, above), (-_EDGE, -0.95), (_EDGE, _EDGE))
    wrist = camera.place(float(right), float(above), depth)
    line = wrist - shoulder
    far, reach = float(np.linalg.norm(line)), _HALF_REACH * skeleton.reach(side)
    if far > reach:
        wrist = shoulder + line * (reach / far)
    return Hand(
        wrist,
        turn @ unit(np.array(gesture.fingers) * mirror),
        turn @ unit(np.array(gesture.palm) * mirror),
        unit(np.array(gesture.elbow) * mirror),
        np.array(gesture.curl),
        gesture.spread,
        gesture.thumb,
    )
