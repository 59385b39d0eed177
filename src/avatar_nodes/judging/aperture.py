"""Measures how far a mouth is open, from pixels only: rendered, decoded or generated ones alike.

The inside of every mouth of the tiny world has one dark red (`INTERIOR`), found nowhere else near
the mouth. Its area, over the width it covers, is the height of the opening less teeth and tongue,
which are fixed shares of it. Membership is gradual, so blur moves weight to neighbouring pixels
instead of losing it.
"""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.mouth import INTERIOR, MAX_OPENING, TEETH_SHARE, TONGUE_SHARE
from avatar_nodes.world.renderer import Box

# Edges count by halves and the tallest columns are averaged, which costs about an eighth of the
# height.
_TALLEST_COLUMNS = 11
_GAIN = 1.14 / (MAX_OPENING * (1.0 - TEETH_SHARE - TONGUE_SHARE))


def measure_aperture(frame: np.ndarray, search_box: Box) -> float:
    """Opening of the mouth in 0..1 (1 = `MAX_OPENING` pixels) from uint8 RGB [H,W,3].

    Raises ValueError when the frame is not such a picture or the box has no pixel in it.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame must be uint8 [H,W,3], not {frame.dtype} {list(frame.shape)}")
    x0, y0, x1, y1 = search_box
    patch = frame[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)].astype(np.float32)
    if patch.size == 0:
        raise ValueError(f"search box {search_box} is outside the frame")
    columns = np.sort(_interior(patch).sum(axis=0))
    return float(np.clip(columns[-_TALLEST_COLUMNS:].mean() * _GAIN, 0.0, 1.0))


def _interior(patch: np.ndarray) -> np.ndarray:
    """Membership 0..1 of each pixel in the mouth's inside: dark, red, and not orange.

    Dark alone would take beards for mouths, red alone lips, both together red-brown hair, whose hue
    is orange (green well above blue) where the mouth's is crimson. Dark and red are judged against
    the patch's median, which is the person's skin, so that dark skin and a shift of all colours
    change little.
    """
    red, green, blue = patch[..., 0], patch[..., 1], patch[..., 2]
    redness = (red - np.maximum(green, blue)) / (red + 8.0)
    orange = (green - blue) / np.maximum(red - np.minimum(green, blue), 16.0)
    light = np.clip(1.15 * np.median(red), 130.0, 200.0)
    plain = np.clip(np.median(redness) + 0.08, 0.28, 0.40)
    dark = np.clip((light - red) / (light - INTERIOR[0]), 0.0, 1.0)
    return (
        dark
        * np.clip((redness - plain) / 0.10, 0.0, 1.0)
        * np.clip((0.22 - orange) / 0.10, 0.0, 1.0)
    )
