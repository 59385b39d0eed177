"""Renders a frame of the tiny world: identity + performance + frame number -> picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from avatar_nodes.world.backdrop import SIZE, draw_backdrop
from avatar_nodes.world.body import (
    CENTRE_X,
    HAND,
    draw_arm,
    draw_torso,
    hand_frame,
    held_frame,
)
from avatar_nodes.world.face import Expression, draw_face, outline
from avatar_nodes.world.hair import draw_hair_back, draw_hair_front
from avatar_nodes.world.identity import Identity
from avatar_nodes.world.motion import ONE_HANDED, SHOW, Performance
from avatar_nodes.world.mouth import MAX_OPENING, MOUTH_Y, half_width
from avatar_nodes.world.objects import FOOT_Y, HALF_SIZE, draw_stand, draw_thing
from avatar_nodes.world.pen import Frame, Pen

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels; x1 and y1 exclusive."""

SWAY_MARGIN_PX = 11
"""Distance that a mouth wanders to every side by sway, nods and shakes [pixels]."""

LEAN_MARGIN_PX = 20
"""Distance that it wanders further sideways when the person leans [pixels]."""

HEAD_Y = 96.0
_NECK = (CENTRE_X, 158.0)
_HIPS = (CENTRE_X, 300.0)
_STAND = (96.0, 218.0)  # the stand's top: from the middle to the person's acting side, and down
_STAND_AWAY = 64.0  # how far aside it is out of the picture

_backdrop = lru_cache(maxsize=64)(draw_backdrop)


def render(identity: Identity, performance: Performance, n: int, *, size: int = SIZE) -> np.ndarray:
    """Frame `n` (0-based) as uint8 [size,size,3] RGB. Pure: the same arguments give the same bytes.

    size: at most 512, as large as it is drawn. Raises IndexError when the performance has no frame
    `n`.
    """
    if not 0 <= n < performance.num_frames:
        raise IndexError(f"frame {n} is not within 0..{performance.num_frames - 1}")
    p = performance
    canvas = _backdrop(identity).copy()
    torso, head = _frames(p, n)
    body_pen, head_pen = Pen(canvas, torso), Pen(canvas, head)
    draw_hair_back(head_pen, identity)
    draw_torso(body_pen, identity, float(p.lift[n]))
    draw_face(head_pen, identity, _expression(p, n))
    draw_hair_front(head_pen, identity, float(p.yaw[n]))
    _draw_arms(body_pen, identity, p, n)
    if p.thing is not None and p.thing.place == "stand" and p.show[n] > 0.0:
        draw_stand(Pen(canvas, _stand_frame(p, n)))
        draw_thing(Pen(canvas, _thing_frame(identity, p, n)), p.thing)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA)


def mouth_box(identity: Identity, performance: Performance, n: int) -> Box:
    """(x0, y0, x1, y1) in pixels around the lips of frame `n`; x1 and y1 are exclusive."""
    p = performance
    _, head = _frames(p, n)
    half = half_width(identity, float(p.width[n]), float(p.rounding[n]), float(p.smile[n])) + 3.0
    above = 0.4 * MAX_OPENING * float(p.aperture[n]) + 8.0
    below = 0.6 * MAX_OPENING * float(p.aperture[n]) + 8.0
    centre = np.array([p.yaw[n], MOUTH_Y + p.pitch[n]], float)
    corners = np.array([(-half, -above), (half, -above), (half, below), (-half, below)]) + centre
    return _around(head(corners))


def mouth_search_box(identity: Identity, *, leaning: bool = False) -> Box:
    """The pixels in which this person's mouth can be: the resting mouth grown by its wandering."""
    x0, y0, x1, y1 = mouth_box(identity, Performance.neutral(), 0)
    side = SWAY_MARGIN_PX + (LEAN_MARGIN_PX if leaning else 0)
    return x0 - side, y0 - SWAY_MARGIN_PX, x1 + side, y1 + SWAY_MARGIN_PX + 8


def face_box(identity: Identity, performance: Performance, n: int) -> Box:
    """(x0, y0, x1, y1) in pixels around the face of frame `n`, from brow's hair to chin."""
    _, head = _frames(performance, n)
    return _around(head(outline(identity, float(performance.aperture[n]))))


def hand_boxes(identity: Identity, performance: Performance, n: int) -> list[Box]:
    """Boxes around the raised hands of frame `n`; they may lie partly outside the picture."""
    p = performance
    torso, _ = _frames(p, n)
    aside, up, down = HAND
    corners = np.array([(-aside, -up), (aside, -up), (aside, down), (-aside, down)])
    found = []
    for side in (-1, 1):
        weights, angle = _arm_weights(p, n, side), float(p.wave_angle[n]) * (side == p.side)
        if weights:
            hand = hand_frame(identity, side, float(p.lift[n]), weights, angle).then(torso)
            found.append(_around(hand(corners)))
    return found


def thing_box(identity: Identity, performance: Performance, n: int) -> Box:
    """(x0, y0, x1, y1) in pixels around the object of frame `n`, exclusive at the end.

    It may lie partly or wholly outside the picture: the object is then partly or wholly hidden.
    Raises ValueError when the performance has no object.
    """
    if performance.thing is None:
        raise ValueError("this performance has no object")
    x, y = _thing_frame(identity, performance, n).offset
    low = np.floor([x - HALF_SIZE, y - HALF_SIZE])
    high = np.ceil([x + HALF_SIZE, y + HALF_SIZE])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def thing_visible(identity: Identity, performance: Performance, n: int) -> float:
    """Share of the object that is in the picture at frame `n`: 0 hidden .. 1 all of it."""
    if performance.thing is None or performance.show[n] <= 0.0:
        return 0.0
    x0, y0, x1, y1 = thing_box(identity, performance, n)
    inside = max(0, min(x1, SIZE) - max(x0, 0)) * max(0, min(y1, SIZE) - max(y0, 0))
    return inside / ((x1 - x0) * (y1 - y0))


def room(identity: Identity, *, size: int = SIZE) -> np.ndarray:
    """uint8 [size,size,3] RGB: what is behind the person."""
    return cv2.resize(_backdrop(identity), (size, size), interpolation=cv2.INTER_AREA)


def _around(points: np.ndarray) -> Box:
    low, high = np.floor(points.min(axis=0)), np.ceil(points.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _stand_frame(p: Performance, n: int) -> Frame:
    away = _STAND_AWAY * (1.0 - float(p.show[n]))
    return Frame(shift=(CENTRE_X + p.side * (_STAND[0] + away), _STAND[1]))


def _thing_frame(identity: Identity, p: Performance, n: int) -> Frame:
    """The frame of the object about its centre, in the picture."""
    if p.thing is not None and p.thing.place == "stand":
        return Frame(shift=(0.0, -FOOT_Y)).then(_stand_frame(p, n))
    torso, _ = _frames(p, n)
    weights, lift = _arm_weights(p, n, p.side), float(p.lift[n])
    return held_frame(identity, p.side, lift, weights, float(p.wave_angle[n])).then(torso)


def _frames(p: Performance, n: int) -> tuple[Frame, Frame]:
    torso = Frame(float(p.torso_turn[n]), _HIPS, (float(p.torso_x[n]), 0.0))
    shift = (float(p.head_x[n]), float(p.head_y[n]) - 0.35 * float(p.lift[n]))
    on_neck = Frame(float(p.head_turn[n]), _NECK, shift)
    head = Frame(shift=(CENTRE_X, HEAD_Y)).then(on_neck).then(torso)
    return torso, head


def _expression(p: Performance, n: int) -> Expression:
    names = ("aperture", "width", "rounding", "blink", "smile", "gaze_x", "gaze_y", "yaw", "pitch")
    return Expression(**{name: float(getattr(p, name)[n]) for name in names})


def _arm_weights(p: Performance, n: int, side: int) -> dict[str, float]:
    """Weight 0..1 of each pose of the arm at picture side `side`; poses that it is not in are left
    out.

    An object on a stand needs no hand.
    """
    weights = {name: float(getattr(p, name)[n]) for name in ONE_HANDED if side == p.side}
    weights["shrug"] = float(p.shrug[n])
    if p.thing is None or p.thing.place != "hand":
        weights.pop(SHOW, None)
    return {name: value for name, value in weights.items() if value > 0.0}


def _draw_arms(pen: Pen, identity: Identity, p: Performance, n: int) -> None:
    for side in (-1, 1):
        weights, acts = _arm_weights(p, n, side), side == p.side
        angle = float(p.wave_angle[n]) if acts else 0.0
        held = p.thing if SHOW in weights else None
        draw_arm(pen, identity, side, float(p.lift[n]), weights, angle, held)
