"""Turns a performance's tracks into weights of the 52 face shapes, exact in how far lips open."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from avatar_nodes.world.motion import Performance
from avatar_nodes.world.people.assets import Assets, Body

MAX_OPENING = 0.0165
"""Metres between the lips, in the middle, at aperture 1."""

_PRESSED = -0.0011  # lips that press upon each other overlap a little, so that no line is left
_BOTH = ("Left", "Right")


class Face:
    """The face of one body: its lips' edges and what each shape does to them.

    Attributes:
        upper, lower: the vertices in the middle of the lips' inner edges.
    """

    def __init__(self, assets: Assets, body: Body) -> None:
        self._shape = assets.shape
        skin = np.unique(assets.quads("skin")[0])
        self.upper, self.lower = lip_edges(assets, skin)
        rest = body.vertices[self.upper, 2] - body.vertices[self.lower, 2]
        self._rest = float(rest)
        self._opens = assets.shapes[:, self.upper, 2] - assets.shapes[:, self.lower, 2]

    def opening(self, weights: np.ndarray) -> np.ndarray:
        """Metres between the lips for weights [..., 52]."""
        return self._rest + weights @ self._opens

    def weights(self, performance: Performance, looks_up: np.ndarray | None = None) -> np.ndarray:
        """float32 [frames, 52] in 0..1.

        looks_up: [frames], how far the eyes are turned up [radians], which the lids follow.
        """
        p = performance
        out = np.zeros((p.num_frames, len(self._shape)), np.float32)

        def add(name: str, value: np.ndarray) -> None:
            sides = _BOTH if f"{name}Left" in self._shape else ("",)
            for side in sides:
                out[:, self._shape[name + side]] += value

        self._eyes(p, np.zeros(p.num_frames) if looks_up is None else looks_up, add)
        spread = np.clip(2.0 * p.width - 1.0, 0.0, 1.0)
        add("mouthPucker", 0.80 * p.rounding * (1.0 - 0.5 * p.aperture))
        add("mouthFunnel", 0.75 * p.rounding * (0.20 + 0.6 * p.aperture))
        add("mouthStretch", 0.30 * spread)
        smile = (0.12 + p.smile) * (1.0 - 0.55 * p.rounding) * (1.0 - 0.35 * p.aperture)
        add("mouthSmile", 0.95 * smile + 0.10 * spread)
        add("mouthDimple", 0.20 * smile)
        add("mouthRollLower", 0.55 * p.bite + 0.16 * p.press)
        add("mouthRollUpper", 0.16 * p.press)
        add("mouthPress", 0.40 * p.press)
        add("tongueOut", 0.45 * p.tongue * np.clip(3.0 * p.aperture, 0.0, 1.0))
        parted = np.zeros_like(out)
        for name, value in (
            ("mouthLowerDown", 0.34 * p.aperture + 0.26 * p.clench),
            ("mouthUpperUp", 0.20 * p.aperture + 0.14 * p.clench + 0.12 * p.bite),
        ):
            for side in _BOTH:
                parted[:, self._shape[name + side]] = value * (1.0 - p.press)
        return self._opened(out, parted, p)

    def _opened(self, out: np.ndarray, parted: np.ndarray, p: Performance) -> np.ndarray:
        """Part the lips as far as the aperture allows, then let the jaw do the rest."""
        wanted = MAX_OPENING * p.aperture + _PRESSED * p.press
        room = np.maximum(wanted - self.opening(out), 0.0)
        by_lips = parted @ self._opens
        out += parted * np.minimum(1.0, 0.75 * room / np.maximum(by_lips, 1e-6))[:, None]
        missing = wanted - self.opening(out)
        jaw, close = self._shape["jawOpen"], self._shape["mouthClose"]
        out[:, jaw] = np.maximum(missing, 0.0) / self._opens[jaw]
        out[:, close] = np.minimum(missing, 0.0) / self._opens[close]
        return out.astype(np.float32)

    @staticmethod
    def _eyes(p: Performance, looks_up: np.ndarray, add: Callable[[str, np.ndarray], None]) -> None:
        open_ = 1.0 - p.blink
        down = np.clip(-looks_up, 0.0, 0.5)
        add("eyeBlink", np.clip(p.blink + 0.6 * down * open_, 0.0, 1.0))
        add("eyeSquint", 0.22 * p.smile * open_)
        add("eyeWide", (0.04 + 0.20 * p.brow + np.clip(1.3 * looks_up, 0.0, 0.45)) * open_)
        add("cheekSquint", 0.60 * p.smile)
        add("browInnerUp", 0.40 * p.brow)
        add("browOuterUp", 0.50 * p.brow + 0.10 * p.smile)


def lip_edges(assets: Assets, skin: np.ndarray) -> tuple[int, int]:
    """The lowest vertex of the upper lip and the highest of the lower, in the middle."""
    points = assets.template[skin]
    middle = (
        (np.abs(points[:, 0]) < 2e-4)
        & (points[:, 1] < -0.148)
        & (points[:, 2] > 0.650)
        & (points[:, 2] < 0.672)
    )
    near = skin[middle]
    falls = assets.shapes[assets.shape["jawOpen"], near, 2] < -0.020
    heights = assets.template[near, 2]
    upper, lower = near[~falls], near[falls]
    return int(upper[np.argmin(heights[~falls])]), int(lower[np.argmax(heights[falls])])
