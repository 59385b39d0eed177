"""Makes glasses and ear-rings that fit a head at rest."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.people.assets import Assets
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.mesh import ball, tube
from avatar_nodes.world.people.solid import Solid, joined, solid

_FRAMES = ((0.02, 0.02, 0.025), (0.18, 0.08, 0.04), (0.35, 0.30, 0.22), (0.08, 0.10, 0.2))
_METALS = ((0.85, 0.70, 0.35), (0.80, 0.80, 0.82), (0.90, 0.88, 0.85))
Eye = tuple[np.ndarray, float]
"""Centre [3] and radius of an eyeball."""


def glasses(
    identity: Identity, assets: Assets, rest: np.ndarray, eyes: tuple[Eye, Eye]
) -> tuple[Solid, Solid] | None:
    """Frame and lenses, or None."""
    if identity.glasses == "none":
        return None
    rng = np.random.default_rng([identity.seed, 0x61])
    colour = _FRAMES[int(rng.integers(len(_FRAMES)))]
    power, radius = {
        "round": (2.2, rng.uniform(0.0015, 0.0021)),
        "square": (rng.uniform(3.2, 4.5), rng.uniform(0.0015, 0.0022)),
        "thin": (rng.uniform(2.4, 3.0), 0.0009),
    }[identity.glasses]
    wide = rng.uniform(0.0225, 0.0255)
    high = wide * rng.uniform(0.80, 0.98)
    frame, lenses = [], []
    for (centre, size), sign in zip(eyes, (1.0, -1.0), strict=True):
        angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
        x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2.0 / power) * wide
        z = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2.0 / power) * high
        front = centre[1] - size - 0.0125
        middle = centre[0] + sign * 0.0025
        back = 0.06 * np.maximum(0.0, sign * x)
        rim = np.stack([middle + x, front + back, centre[2] - 0.003 + z], axis=1)
        frame.append(solid(*tube(rim, float(radius), closed=True), colour, gloss=0.5))
        lenses.append(_lens(rim))
        frame.append(
            _temple(assets, rest, sign, middle + sign * wide, front, centre[2], radius, colour)
        )
    (left, size), _ = eyes
    inner = left[0] + 0.0025 - wide
    share = np.linspace(-1.0, 1.0, 9)
    bridge = np.stack(
        [share * inner, left[1] - size - 0.0135 - 0.003 * (1.0 - share**2),
         left[2] + 0.004 * (2.0 - share**2)], axis=1,
    )  # fmt: skip
    frame.append(solid(*tube(bridge, float(radius), closed=False), colour, gloss=0.5))
    return joined(frame), joined(lenses)


def _temple(
    assets: Assets, rest: np.ndarray, sign: float, x: float, front: float, height: float,
    radius: float, colour: tuple[float, float, float],
) -> Solid:  # fmt: skip
    template = assets.template
    over = (template[:, 2] > 0.725) & (template[:, 2] < 0.737) & (template[:, 0] * sign > 0.072)
    skin = np.zeros(len(template), bool)
    skin[np.unique(assets.quads("skin")[0])] = True
    ear = rest[over & skin & (template[:, 0] * sign < 0.12)].mean(axis=0)
    corners = np.array(
        ((x, front + 0.010, height + 0.004), (x + sign * 0.006, front + 0.025, height + 0.005),
         (ear[0] - sign * 0.002, ear[1], ear[2] + 0.004))
    )  # fmt: skip
    share = np.linspace(0.0, 1.0, 10)
    path = np.stack([np.interp(share, (0.0, 0.15, 1.0), corners[:, k]) for k in range(3)], axis=1)
    return solid(*tube(path, 0.9 * float(radius), closed=False), colour, gloss=0.5)


def _lens(rim: np.ndarray) -> Solid:
    count = len(rim)
    centre = rim.mean(axis=0)
    vertices = np.vstack([centre, rim])
    place = np.arange(count)
    after = (place + 1) % count + 1
    quads = np.stack([np.zeros(count, int), place + 1, after, after], axis=1)
    made = solid(vertices, quads, (0.9, 0.95, 1.0), gloss=1.0)
    bulge = np.array((0.0, -1.0, 0.1)) + (vertices - centre) * (14.0, 0.0, 14.0)
    bulge /= np.linalg.norm(bulge, axis=1, keepdims=True)
    return Solid(made.vertices, bulge.astype(np.float32), made.colours, made.gloss, made.triangles)


def earrings(identity: Identity, assets: Assets, rest: np.ndarray) -> Solid | None:
    """Studs or hoops at both lobes, or None."""
    if identity.earrings == "none" or identity.cover == "scarf":
        return None
    rng = np.random.default_rng([identity.seed, 0x62])
    colour = _METALS[int(rng.integers(len(_METALS)))]
    skin = np.unique(assets.quads("skin")[0])
    size = rng.uniform(0.0028, 0.0045)
    parts = []
    for sign in (1.0, -1.0):
        x, y, z = assets.template[skin].T
        lobe = (x * sign > 0.074) & (z > 0.678) & (z < 0.692) & (y > -0.075) & (y < -0.03)
        if not lobe.any():
            continue
        place = rest[skin[lobe]].mean(axis=0) + (0.002 * sign, -0.003, -0.003)
        if identity.earrings == "hoops":
            angle = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
            ring = np.stack(
                [0.003 * sign + 0.0024 * np.cos(angle), 0.012 * np.cos(angle),
                 -0.012 + 0.012 * np.sin(angle)], axis=1,
            )  # fmt: skip
            parts.append(solid(*tube(place + ring, 0.0011, closed=True), colour, gloss=0.9))
        else:
            vertices, quads = ball(float(size), 8, 12)
            parts.append(solid(vertices + place, quads, colour, gloss=0.9))
    return joined(parts) if parts else None
