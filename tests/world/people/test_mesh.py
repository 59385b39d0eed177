import numpy as np
import support.people  # noqa: F401 - skips where scipy is missing

from avatar_nodes.world.people.mesh import ball, lathe, normals, subdivided, tube

CUBE = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
FACES = np.array(
    ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
)


def test_normals_of_a_cube_point_outwards() -> None:
    assert ((normals(CUBE, FACES) * CUBE).sum(axis=1) > 1.7).all()


def test_a_subdivided_cube_is_rounder_and_four_times_as_fine() -> None:
    operator, quads = subdivided(FACES, len(CUBE))
    vertices = operator @ CUBE
    assert len(quads) == 24 and len(vertices) == 8 + 12 + 6
    assert np.allclose(np.asarray(operator.sum(axis=1)), 1.0)
    distance = np.linalg.norm(vertices, axis=1)
    assert distance.max() < np.sqrt(3) and distance.min() > 0.9


def test_subdivision_keeps_a_flat_sheet_flat_and_its_border_in_place() -> None:
    grid = np.array([(x, y, 0.0) for y in range(4) for x in range(4)], float)
    quads = np.array(
        [[4 * y + x, 4 * y + x + 1, 4 * y + x + 5, 4 * y + x + 4]
         for y in range(3) for x in range(3)]
    )  # fmt: skip
    operator, _ = subdivided(quads, 16)
    vertices = operator @ grid
    assert np.allclose(vertices[:, 2], 0.0)
    assert vertices[:, 0].min() < 0.26 and vertices[:, 0].max() > 2.74


def test_solids_of_revolution_face_outwards() -> None:
    for vertices, quads in (ball(1.0), tube(np.array(((0, 0, 0), (0, 0, 1.0))), 0.1, closed=False)):
        centred = vertices - vertices.mean(axis=0)
        outwards = (normals(vertices, quads) * centred * (1, 1, 0)).sum(axis=1)
        assert (outwards > -1e-6).all()
    vertices, _ = lathe(np.array(((1.0, 0.0), (1.0, 2.0))), 8)
    assert np.allclose(np.hypot(vertices[:, 0], vertices[:, 1]), 1.0)
