"""Rotations and directions in three dimensions, for bones and cameras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Vector = Sequence[float] | np.ndarray


def unit(vector: Vector) -> np.ndarray:
    """The direction of a vector, or of each row [..., 3]; zero stays zero."""
    values = np.asarray(vector, float)
    return values / (np.linalg.norm(values, axis=-1, keepdims=True) + 1e-12)


def about(axis: Vector, angle: float) -> np.ndarray:
    """[3, 3]: turns by `angle` (radians) about `axis`, counter-clockwise seen from its tip."""
    x, y, z = unit(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross


def between(first: Vector, second: Vector) -> np.ndarray:
    """[3, 3]: the shortest turn from one direction to the other."""
    a, b = unit(first), unit(second)
    axis = np.cross(a, b)
    length = np.linalg.norm(axis)
    if length < 1e-8:
        return np.eye(3)
    return about(axis, float(np.arctan2(length, a @ b)))


def towards(first: Vector, second: Vector, share: float) -> np.ndarray:
    """The direction at `share` of the way from one direction to another."""
    return unit((1.0 - share) * unit(first) + share * unit(second))


def frame(direction: Vector, normal: Vector) -> np.ndarray:
    """[3, 3]: columns are `direction`, `normal` made square to it, and their cross product."""
    along = unit(direction)
    square = unit(np.asarray(normal, float) - along * (np.asarray(normal, float) @ along))
    return np.stack([along, square, np.cross(along, square)], axis=1)


def smooth_step(low: float, high: float, value: np.ndarray | float) -> np.ndarray:
    """0 below `low`, 1 above `high`, eased between; falls where high < low."""
    share = np.clip((np.asarray(value) - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)
