"""Dresses a person: which part of the body's shell each garment covers, and how loosely."""

from __future__ import annotations

import numpy as np

from avatar_nodes.world.people.rotation import smooth_step

# Everything here is in the template's coordinates [m], plus the place along the arm.
_NECK_CENTRE = -0.028
_COLLAR_SLOPE = 0.36


def covered(
    garment: str, neck: tuple[float, float, float, float], points: np.ndarray
) -> np.ndarray:
    """Signed distance [m] of points [n, 4] (x, y, z, along the arm) to the garment's edge.

    Positive where the garment is.
    """
    sleeve, collar, depth, width = neck
    x, y, z, along = points.T
    edge = 0.549 + collar + _COLLAR_SLOPE * (y + 0.075)
    edge = edge - 0.10 * np.maximum(np.abs(x) - 0.05, 0.0)
    below = edge - z
    radius = np.hypot(x, (y - _NECK_CENTRE) * np.where(y > _NECK_CENTRE, 0.85, 0.95))
    outside = np.minimum((radius - 0.071 + 1.2 * collar) * 0.8, (0.603 - z) * 1.5)
    share = np.clip(0.5 + 0.5 * (below - outside) / 0.022, 0.0, 1.0)
    distance = outside + (below - outside) * share + 0.022 * share * (1.0 - share)
    if garment in ("vneck", "blazer", "shirt"):
        up = z - (0.549 + collar - depth)
        beside = np.abs(x) - width * np.minimum(up / depth, 1.5)
        opening = np.where(up > 0.0, beside, np.hypot(x, up))
        distance = np.where(y < 0.0, np.minimum(distance, opening), distance)
    on_arm = np.minimum(distance, (sleeve - along) * 0.22)
    return np.where(along > 0.0, on_arm, distance)


def beanie(points: np.ndarray) -> np.ndarray:
    return points[:, 2] - (0.787 - 0.40 * (points[:, 1] + 0.15))


def scarf(points: np.ndarray) -> np.ndarray:
    """A head scarf leaves an oval of the face free."""
    x, y, z, _ = points.T
    oval = (np.hypot(x / 0.061, (z - 0.709) / 0.095) - 1.0) * 0.06
    return np.where(y < -0.045, oval, 0.05)


def drape(points: np.ndarray) -> np.ndarray:
    """The part of a head scarf that lies on the shoulders."""
    x, _, z, along = points.T
    return np.minimum(z - 0.425 - 0.25 * np.maximum(np.abs(x) - 0.05, 0.0), (0.42 - along) * 0.2)


def looseness(garment: str, points: np.ndarray) -> np.ndarray:
    """How far the cloth is from the skin [m]."""
    _, _, z, along = points.T
    thick = {"tee": 0.005, "vneck": 0.006, "sweater": 0.009, "turtleneck": 0.008,
             "blazer": 0.012, "shirt": 0.006}[garment]  # fmt: skip
    torso = 0.007 * smooth_step(0.40, 0.25, z) * (along < 0.1)
    sleeve = 0.004 * smooth_step(0.1, 0.5, along) * smooth_step(1.9, 1.2, along)
    if garment in ("blazer", "shirt"):
        sleeve = sleeve + 0.002 * smooth_step(0.3, 0.6, along)
    flare = 0.004 * smooth_step(0.25, 0.6, along) * (garment == "tee")
    return thick + torso + sleeve + flare


def collar_height(points: np.ndarray) -> np.ndarray:
    """Height of the edge on which a shirt's collar stands."""
    return 0.596 + _COLLAR_SLOPE * (points[:, 1] + 0.075)


def collar_offset(garment: str, points: np.ndarray) -> np.ndarray:
    """How far a collar's leaf lies from the skin [m]."""
    top = collar_height(points)
    radius = np.hypot(points[:, 0], (points[:, 1] - _NECK_CENTRE) * 0.9)
    down = np.clip((top - points[:, 2]) * 0.8 + np.maximum(radius - 0.06, 0.0) * 0.9, 0.0, 0.08)
    return (0.007 if garment == "shirt" else 0.009) + 0.13 * down


def folds(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Wrinkles: what is added to the normals [n, 3], stronger on the arms."""
    place, along = points[:, :3], points[:, 3]
    total = np.zeros((len(points), 3))
    for _ in range(14):
        wave = rng.normal(0.0, 1.0, 3) * (26.0, 26.0, 16.0) * rng.uniform(0.6, 1.7)
        waves = np.where(along[:, None] > 0.12, wave * (1.0, 0.6, 1.9), wave)
        phase = (place * waves).sum(axis=1) + rng.uniform(0.0, 2.0 * np.pi)
        total += np.cos(phase)[:, None] * (waves / np.linalg.norm(waves, axis=1, keepdims=True))
    return total * (0.055 + 0.05 * smooth_step(0.1, 0.4, along))[:, None]
