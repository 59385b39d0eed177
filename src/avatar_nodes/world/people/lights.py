"""Sets up the lights of a person's room as what the shaders ask for."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.people.identity import Light
from avatar_nodes.world.people.rotation import unit


def uniforms(light: Light) -> dict[str, np.ndarray | float]:
    """Directions towards the lights, and their colours (linear)."""
    aside, up = light.aside, light.up
    sign = float(np.sign(aside)) or 1.0
    warm = np.array((1.0 + 0.06 * light.warmth, 1.0, 1.0 - 0.08 * light.warmth))
    return {
        "key_from": unit((np.sin(aside), -np.cos(aside), up)),
        "fill_from": unit((-np.sin(1.1 * aside) - 0.2 * sign, -0.8, 0.15)),
        "rim_from": unit((-0.7 * sign, 0.75, 0.45)),
        "key": warm * 1.95 * light.key,
        "fill": np.array((0.92, 0.97, 1.06)) * 0.36 * light.fill,
        "rim": np.array((1.0, 0.98, 0.95)) * light.rim,
        "sky": np.array((0.62, 0.65, 0.70)) * 0.66,
        "ground": np.array((0.36, 0.30, 0.27)) * 0.66,
        "exposure": 0.51,
    }
