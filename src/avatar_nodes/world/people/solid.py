"""A coloured solid: what things, glasses and ear-rings are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.world.people.mesh import normals, triangles


@dataclass(frozen=True)
class Solid:
    """float32 vertices, normals, colours (sRGB) [n, 3], gloss [n], 0..1; triangles int32 [m, 3]."""

    vertices: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    gloss: np.ndarray
    triangles: np.ndarray

    def moved(self, turn: np.ndarray, shift: np.ndarray, scale: float = 1.0) -> Solid:
        """The same turned by [3, 3], scaled and shifted by [3]."""
        return Solid(
            (scale * self.vertices @ turn.T + shift).astype(np.float32),
            (self.normals @ turn.T).astype(np.float32),
            self.colours,
            self.gloss,
            self.triangles,
        )


def solid(
    vertices: np.ndarray,
    quads: np.ndarray,
    colour: tuple[float, float, float] | np.ndarray,
    *,
    gloss: float = 0.3,
    faceted: bool = False,
) -> Solid:
    """Of quads; `faceted` gives every face its own normal, for edges that are sharp."""
    if faceted:
        vertices = vertices[quads.ravel()]
        colours = np.asarray(colour)
        if colours.ndim == 2:
            colour = colours[quads.ravel()]
        quads = np.arange(quads.size).reshape(quads.shape)
    count = len(vertices)
    return Solid(
        vertices.astype(np.float32),
        normals(np.asarray(vertices, float), quads).astype(np.float32),
        np.broadcast_to(np.asarray(colour, np.float32), (count, 3)).copy(),
        np.full(count, gloss, np.float32),
        triangles(quads),
    )


def joined(parts: list[Solid]) -> Solid:
    """Several as one."""
    first = np.cumsum([0, *(len(part.vertices) for part in parts)])
    return Solid(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.colours for part in parts]),
        np.concatenate([part.gloss for part in parts]),
        np.concatenate(
            [part.triangles + start for part, start in zip(parts, first, strict=False)]
        ).astype(np.int32),
    )
