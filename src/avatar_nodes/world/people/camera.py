"""Looks at a person: matrices, and where in the picture a point of the world lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.people.rotation import unit

_NEAR, _FAR = 0.1, 10.0


@dataclass(frozen=True)
class Camera:
    """A camera at `eye` that looks at `centre` (metres); field: height it sees [radians]."""

    eye: np.ndarray
    centre: np.ndarray
    field: float

    @property
    def matrix(self) -> np.ndarray:
        """float64 [4, 4]: world to clip space."""
        scale = 1.0 / np.tan(self.field / 2.0)
        depth = (_FAR + _NEAR) / (_NEAR - _FAR), 2.0 * _FAR * _NEAR / (_NEAR - _FAR)
        lens = np.array([[scale, 0, 0, 0], [0, scale, 0, 0], [0, 0, *depth], [0, 0, -1, 0]])
        return lens @ looking(self.eye, self.centre)

    def place(self, right: float, up: float, depth: float) -> np.ndarray:
        """[3]: the point `depth` metres before the eye that the picture shows at (right, up).

        Both in -1..1, the picture's edges.
        """
        axes = looking(self.eye, self.centre)[:3, :3]
        half = np.tan(self.field / 2.0)
        return self.eye + depth * (right * half * axes[0] + up * half * axes[1] - axes[2])

    def pixels(self, points: np.ndarray, size: int) -> np.ndarray:
        """[N, 2] (x, y): where points [N, 3] lie in a picture of `size` pixels a side."""
        clip = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ self.matrix.T
        flat = clip[:, :2] / clip[:, 3:4]
        return (flat * (0.5, -0.5) + 0.5) * size


def looking(eye: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """float64 [4, 4]: world to the space of an eye that looks at a centre."""
    forward = unit(centre - eye)
    up = (0.0, 0.0, 1.0) if abs(forward[2]) < 0.95 else (0.0, 1.0, 0.0)
    side = unit(np.cross(forward, up))
    out = np.eye(4)
    out[:3, :3] = np.stack([side, np.cross(side, forward), -forward])
    out[:3, 3] = -out[:3, :3] @ eye
    return out


def parallel(width: float, height: float, near: float, far: float) -> np.ndarray:
    """float64 [4, 4]: projection without perspective, of half sizes in metres."""
    depth = -2.0 / (far - near), -(far + near) / (far - near)
    return np.array([[1 / width, 0, 0, 0], [0, 1 / height, 0, 0], [0, 0, *depth], [0, 0, 0, 1]])
