"""Works on meshes of quads: normals, subdivision, smoothing, tubes and balls."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from avatar_nodes.world.people.rotation import unit


def triangles(quads: np.ndarray) -> np.ndarray:
    """int32 [2n, 3] of quads [n, 4]."""
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32)


def normals(vertices: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3] of the vertices."""
    across = np.cross(
        vertices[quads[:, 2]] - vertices[quads[:, 0]], vertices[quads[:, 3]] - vertices[quads[:, 1]]
    )
    total = np.zeros_like(vertices)
    for corner in range(4):
        np.add.at(total, quads[:, corner], across)
    return total / (np.linalg.norm(total, axis=1, keepdims=True) + 1e-12)


def selecting(ids: np.ndarray, count: int) -> sp.csr_matrix:
    """[n, count]: takes the vertices `ids` out of all."""
    rows = np.arange(len(ids))
    return sp.csr_matrix((np.ones(len(ids)), (rows, ids)), shape=(len(ids), count))


def compacted(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The vertices that quads use, and the quads by place among those."""
    ids, places = np.unique(quads, return_inverse=True)
    return ids, places.reshape(quads.shape)


def averaging(quads: np.ndarray, count: int) -> sp.csr_matrix:
    """[count, count]: each vertex becomes the mean of its neighbours."""
    edges = np.concatenate([quads[:, [k, (k + 1) % 4]] for k in range(4)])
    both = np.concatenate([edges, edges[:, ::-1]])
    linked = sp.csr_matrix((np.ones(len(both)), (both[:, 0], both[:, 1])), shape=(count, count))
    linked.data[:] = 1.0
    return sp.diags(1.0 / np.maximum(np.asarray(linked.sum(axis=1)).ravel(), 1.0)) @ linked


def subdivided(quads: np.ndarray, count: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Catmull-Clark once: [new, count] from the vertices of all, and the new quads."""
    ids, local = compacted(quads)
    n, faces = len(ids), len(local)
    edges = np.sort(np.stack([local, np.roll(local, -1, axis=1)], axis=2).reshape(-1, 2), axis=1)
    unique, edge_places = np.unique(edges, axis=0, return_inverse=True)
    edge_of = np.reshape(edge_places, (faces, 4))
    e = len(unique)
    face_points = sp.csr_matrix(
        (np.full(4 * faces, 0.25), (np.repeat(np.arange(faces), 4), local.ravel())), (faces, n)
    )
    of_edge = sp.csr_matrix(
        (np.ones(4 * faces), (edge_of.ravel(), np.repeat(np.arange(faces), 4))), (e, faces)
    )
    used = np.asarray(of_edge.sum(axis=1)).ravel()
    ends = sp.csr_matrix(
        (np.full(2 * e, 0.5), (np.repeat(np.arange(e), 2), unique.ravel())), (e, n)
    )
    inner = (used > 1).astype(float)
    around = sp.diags(1.0 / used) @ of_edge @ face_points
    edge_points = sp.diags(1.0 - 0.5 * inner) @ ends + sp.diags(0.5 * inner) @ around
    vertex_faces = sp.csr_matrix(
        (np.ones(4 * faces), (local.ravel(), np.repeat(np.arange(faces), 4))), (n, faces)
    )
    vertex_edges = sp.csr_matrix(
        (np.ones(2 * e), (unique.ravel(), np.repeat(np.arange(e), 2))), (n, e)
    )
    valence = np.asarray(vertex_faces.sum(axis=1)).ravel()
    degree = np.asarray(vertex_edges.sum(axis=1)).ravel()
    rim_edges = vertex_edges @ sp.diags(1.0 - inner)
    rim = np.asarray(rim_edges.sum(axis=1)).ravel() > 0
    smooth = (
        sp.diags((valence - 3.0) / valence)
        + sp.diags(1.0 / valence**2) @ vertex_faces @ face_points
        + sp.diags(2.0 / (valence * degree)) @ vertex_edges @ ends
    )
    rims = np.maximum(np.asarray(rim_edges.sum(axis=1)).ravel(), 1.0)
    border = 0.5 * sp.eye(n) + sp.diags(0.5 / rims) @ rim_edges @ ends
    vertex_points = sp.diags(1.0 - rim) @ smooth + sp.diags(rim.astype(float)) @ border
    new = sp.vstack([vertex_points, edge_points, face_points]) @ selecting(ids, count)
    centre = n + e + np.arange(faces)
    corners = [
        np.stack([local[:, k], n + edge_of[:, k], centre, n + edge_of[:, k - 1]], axis=1)
        for k in range(4)
    ]
    return new.tocsr(), np.concatenate(corners)


def grid_quads(rows: int, columns: int, *, closed: bool = False) -> np.ndarray:
    """Quads of a grid of rows x columns vertices; `closed` joins the last column to the first."""
    row, column = (
        part.ravel() for part in np.indices((rows - 1, columns if closed else columns - 1))
    )
    after = (column + 1) % columns
    return np.stack(
        [row * columns + column, row * columns + after,
         (row + 1) * columns + after, (row + 1) * columns + column], axis=1,
    )  # fmt: skip


def tube(path: np.ndarray, radius: float, *, closed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of a tube of 7 sides along a path [n, 3]."""
    along = (
        np.roll(path, -1, axis=0) - np.roll(path, 1, axis=0)
        if closed
        else np.gradient(path, axis=0)
    )
    along = unit(along)
    first = unit(np.cross(along, (0.0, 1.0, 0.02)) + 1e-9)
    second = np.cross(along, first)
    angle = np.linspace(0.0, 2.0 * np.pi, 7, endpoint=False)
    ring = (
        first[:, None] * np.cos(angle)[None, :, None]
        + second[:, None] * np.sin(angle)[None, :, None]
    )
    vertices = (path[:, None] + radius * ring).reshape(-1, 3)
    quads = grid_quads(len(path), 7, closed=True)
    if closed:
        last, first_row = (len(path) - 1) * 7, np.arange(7)
        after = (first_row + 1) % 7
        joint = np.stack([last + first_row, last + after, after, first_row], axis=1)
        quads = np.concatenate([quads, joint])
    return vertices, quads


def lathe(profile: np.ndarray, sides: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and quads of a body of revolution about z; profile [n, 2]: radius, height."""
    angle = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    x = profile[:, :1] * np.cos(angle)
    y = profile[:, :1] * np.sin(angle)
    z = np.broadcast_to(profile[:, 1:], x.shape)
    return np.stack([x, y, z], axis=2).reshape(-1, 3), grid_quads(len(profile), sides, closed=True)


def ball(radius: float, rows: int = 14, sides: int = 22) -> tuple[np.ndarray, np.ndarray]:
    """A sphere about the origin."""
    height = np.linspace(-np.pi / 2.0, np.pi / 2.0, rows)
    return lathe(radius * np.stack([np.cos(height), np.sin(height)], axis=1), sides)
