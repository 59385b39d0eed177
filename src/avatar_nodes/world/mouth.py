"""Draws the mouth, the one part of the picture that must follow the sound, large and plain."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.identity import Identity
from avatar_nodes.world.pen import Pen, darker, lighter

INTERIOR = (96, 24, 32)
"""The inside of a mouth; no other part of a picture has a colour near it."""

MAX_OPENING = 22.0
"""Pixels between the lips at aperture 1."""

MOUTH_Y = 28.0
"""Centre of the mouth below the centre of the head."""

TEETH_SHARE = 0.20
TONGUE_SHARE = 0.22
_TEETH = (250, 247, 240)
_TONGUE = (212, 104, 108)
_X = np.linspace(-1.0, 1.0, 17)
_ARCH = (1.0 - _X**2) ** 0.62


def half_width(identity: Identity, width: float, rounding: float, smile: float) -> float:
    """Half of the opening's width in pixels: 19 for a wide smile, 9 for a pursed u."""
    return 0.5 * identity.mouth_width * (0.74 + 0.26 * width - 0.26 * rounding + 0.10 * smile)


def draw_mouth(
    pen: Pen, identity: Identity, aperture: float, width: float, rounding: float, smile: float
) -> None:
    """Draw around (0, 0) of the pen's frame; the corners rise with `smile`."""
    half = half_width(identity, width, rounding, smile)
    opening = MAX_OPENING * aperture
    x = _X * half
    line = 3.0 * smile * (1.0 - 2.0 * _X**2) * (1.0 - 0.5 * rounding)
    top = line - 0.40 * opening * _ARCH
    bottom = line + 0.60 * opening * _ARCH
    upper_lip, lower_lip = 3.2 + 1.3 * rounding, 4.0 + 1.5 * rounding
    bow = _ARCH * (1.0 - 0.22 * np.exp(-((_X / 0.22) ** 2)))
    rim = 1.0 + 1.2 / half
    pen.fill(_band(x * rim, top - upper_lip * bow, bottom + lower_lip * _ARCH), identity.lips)
    if opening < 0.8:
        seam = np.stack([x, line], axis=1)
        pen.stroke(seam, 1.2, darker(identity.lips, 0.30))
        return
    pen.fill(_band(x, top, bottom), INTERIOR)
    teeth = slice(2, -2)
    pen.fill(_band(x[teeth], top[teeth], (top + TEETH_SHARE * opening * _ARCH)[teeth]), _TEETH)
    tongue = slice(3, -3)
    rise = TONGUE_SHARE * opening * (1.0 - 0.5 * _X**2)
    pen.fill(_band(x[tongue], (bottom - rise * _ARCH)[tongue], bottom[tongue]), _TONGUE)
    gloss = np.stack([x, bottom + 0.55 * lower_lip * _ARCH], axis=1)[6:-6]
    pen.stroke(gloss, 1.0, lighter(identity.lips, 0.25))


def _band(x: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    upper = np.stack([x, top], axis=1)
    lower = np.stack([x[::-1], bottom[::-1]], axis=1)
    return np.concatenate([upper, lower])
