"""Finds the triangles of a figure that its camera can ever see; the others need not be drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from avatar_nodes.world.people.camera import Camera
from avatar_nodes.world.people.figure import Figure
from avatar_nodes.world.people.mesh import triangles
from avatar_nodes.world.people.skeleton import Pose
from avatar_nodes.world.people.studio import Studio, put

_SIDE = 512  # pixels of the pictures that are looked through
# Heads in every direction that a performance turns them to, and the body leaning.
_POSES = tuple(
    Pose(lean=(0.0, aside, 0.0), head=head)
    for aside, head in (
        (0.0, (0.0, 0.0, 0.0)), (0.12, (0.45, 0.10, 0.06)), (-0.12, (-0.45, 0.10, -0.06)),
        (0.0, (0.40, -0.18, 0.0)), (0.0, (-0.40, -0.18, 0.0)), (0.0, (0.0, 0.34, 0.0)),
        (0.0, (0.0, -0.26, 0.0)), (0.16, (0.20, 0.20, -0.10)), (-0.16, (-0.20, 0.20, 0.10)),
    )
)  # fmt: skip
_SHAPES = (
    {"jawOpen": 0.5, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3, "eyeWideLeft": 0.5,
     "eyeWideRight": 0.5},
    {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0, "mouthFunnel": 0.6, "jawOpen": 0.2},
)  # fmt: skip
_ARM = 0.30  # along the arm: from here on it may be raised, and is judged apart
_HIDDEN_BY_EDGES = ("cloth", "cover", "drape", "scalp")


def ever_seen(
    figure: Figure,
    camera: Camera,
    studio: Studio,
    upload: Callable[[np.ndarray], None],
    moving: Any,
    hair: Any | None,
    frames: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The quads of each part that are seen in some pose, and which triangles of the hair [m].

    upload: writes vertices into the buffer `moving`; hair: a vertex array that numbers triangles;
    frames: the head's and the chest's transforms [4, 4].
    """
    kept: dict[str, np.ndarray] = {}
    judged: dict[str, np.ndarray] = {}
    for name, quads in figure.quads.items():
        inside = (figure.detail[quads, 0] > 0.0) if name in _HIDDEN_BY_EDGES else None
        if inside is not None:
            kept[name] = quads[inside.any(axis=1) & ~inside.all(axis=1)]
            judged[name] = quads[inside.all(axis=1)]
        elif name == "skin":
            kept[name], judged[name] = quads[:0], quads
        else:
            kept[name] = quads
    numbered = np.concatenate(list(judged.values()))
    seen, seen_hair = _looked_through(
        figure, camera, studio, upload, moving, numbered, hair, frames
    )
    start = 0
    for name, quads in judged.items():
        part = seen[start : start + len(quads)] | _always(figure, name, quads)
        start += len(quads)
        kept[name] = np.concatenate([kept[name], quads[_grown(quads, part, figure.count)]])
    return kept, seen_hair


def arm_quads(figure: Figure, side: str, names: tuple[str, ...]) -> Mapping[str, np.ndarray]:
    """The quads of a whole arm with its hand, by part, as they are drawn when it is raised."""
    sign = 1.0 if side == "L" else -1.0
    out = {}
    for name in names:
        quads = figure.quads[name]
        place = figure.places[quads]
        of_arm = (place[:, :, 3] > _ARM).any(axis=1) & (sign * place[:, :, 0] > 0).all(axis=1)
        if name == "cloth":
            of_arm &= (figure.detail[quads, 0] > 0.0).any(axis=1)
        out[name] = quads[of_arm]
    return out


def _always(figure: Figure, name: str, quads: np.ndarray) -> np.ndarray:
    """What poses and shapes can uncover: around and inside the mouth."""
    if name != "skin":
        return np.zeros(len(quads), bool)
    middle = figure.places[quads].mean(axis=1)
    mouth = (np.abs(middle[:, 0]) < 0.040) & (np.abs(middle[:, 2] - 0.662) < 0.030)
    return mouth & (middle[:, 1] < -0.09)


def _grown(quads: np.ndarray, chosen: np.ndarray, count: int) -> np.ndarray:
    """The chosen quads and their neighbours."""
    touched = np.zeros(count, bool)
    touched[quads[chosen].ravel()] = True
    return touched[quads].any(axis=1)


def _looked_through(
    figure: Figure,
    camera: Camera,
    studio: Studio,
    upload: Callable[[np.ndarray], None],
    moving: Any,
    quads: np.ndarray,
    hair: Any | None,
    frames: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the number of every triangle in every pose, and collect those that come out on top."""
    context, count = studio.context, len(quads)
    numbers = context.texture((_SIDE, _SIDE), 1, dtype="f4")
    frame = context.framebuffer([numbers], context.depth_renderbuffer((_SIDE, _SIDE)))
    mesh = context.vertex_array(
        studio.program("depth.vert", "number.frag"),
        [(moving, "3f 12x", "position")],
        context.buffer(triangles(quads).tobytes()),
    )
    locks = 0 if figure.hair is None else len(figure.hair.triangles)
    seen = np.zeros(2 * count + locks + 1, bool)
    for place, pose in enumerate(_POSES):
        weights = np.zeros(len(figure.template.assets.shape_names), np.float32)
        for shape, value in _SHAPES[place % len(_SHAPES)].items():
            weights[figure.template.assets.shape[shape]] = value
        transforms = figure.skeleton.transforms(pose)
        upload(figure.posed(weights, transforms))
        frame.use()
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        context.enable_only(studio.depth_test)
        put(mesh.program, view=camera.matrix, first=1.0)
        mesh.render()
        seen[np.frombuffer(numbers.read(), np.float32).astype(int)] = True
        if hair is not None:  # drawn afterwards: what it hides may be seen through its gaps
            head, chest = frames(transforms)
            put(hair.program, view=camera.matrix, head=head, chest=chest, first=2.0 * count + 1)
            hair.render()
            seen[np.frombuffer(numbers.read(), np.float32).astype(int)] = True
    for thing in (mesh, frame, numbers):
        thing.release()
    return seen[1 : count + 1] | seen[count + 1 : 2 * count + 1], seen[2 * count + 1 :]
