"""Loads the geometry that people are made of, and bends it into one person's body."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.store.store import user_cache

FORMAT = 1
GENDERS = ("male", "female")
AGES = ("young", "old")
RACES = ("african", "asian", "caucasian")
LEVELS = (0, 1, 2)
TEXTURE_SIZE = (536, 1024)
"""Width and height of the head's part of the texture [pixels]."""

ISLAND = (0.64, 0.14, 0.36, 0.69)
"""The head's island in texture coordinates: left, bottom, width, height."""

FILE_NAME = f"people-{FORMAT}.npz"
FILE_VARIABLE = "AVATAR_PEOPLE"
"""Environment variable with the file of the assets, if it is another than the user's cache has."""


@dataclass(frozen=True)
class Body:
    """One person at rest (arms spread down): vertices float32 [V, 3], bones float64 [163, 3].

    Metres; x to the person's left, y to the back, z up.
    """

    vertices: np.ndarray
    heads: np.ndarray
    tails: np.ndarray


@dataclass(frozen=True)
class Physique:
    """What a body is mixed from.

    gender 0 male .. 1 female; age 0 young .. 1 old; muscle, weight 0..1; race: weights of african,
    asian, caucasian, which sum to 1; changes: (name, -1..1) of local changes.
    """

    gender: float
    age: float
    muscle: float
    weight: float
    race: tuple[float, float, float]
    changes: tuple[tuple[str, float], ...] = ()


class Assets:
    """Geometry of all people, from the file that `avatar train people` writes.

    Attributes:
        template: float32 [V, 3], the average body, in whose coordinates regions are described.
        shape_names: names of the face shapes (ARKit's).
        shapes: float32 [52, V, 3], how each moves the vertices at weight 1 [m].
        bones, parents: names and parents of the 163 bones. weights: float32 [V, 163].
        masks: float32 [1024, 536] in 0..1 by name.
    """

    def __init__(self, path: Path) -> None:
        with np.load(path, allow_pickle=False) as file:
            self._arrays = {name: file[name] for name in file.files}
        about = json.loads(str(self._arrays["about"]))
        if about["format"] != FORMAT:
            raise ConfigurationError(f"{path}: format {about['format']}, not {FORMAT}")
        arrays = self._arrays
        self.template = arrays["template"].astype(np.float32)
        self.uv = arrays["uv"]
        self.bones = [str(name) for name in arrays["bones"]]
        self.bone = {name: place for place, name in enumerate(self.bones)}
        self.parents = arrays["parents"].astype(int)
        self.shape_names = [str(name) for name in arrays["shape_names"]]
        self.shape = {name: place for place, name in enumerate(self.shape_names)}
        self.change = {str(name): place for place, name in enumerate(arrays["change_names"])}
        count = len(self.template)
        self.shapes = np.zeros((len(self.shape_names), count, 3), np.float32)
        self.shapes[arrays["shape_rows"], arrays["shape_vertices"]] = arrays["shape_moves"]
        self.weights = np.zeros((count, len(self.bones)), np.float32)
        rows = np.repeat(np.arange(count), arrays["bone_indices"].shape[1])
        np.add.at(
            self.weights,
            (rows, arrays["bone_indices"].ravel()),
            arrays["bone_weights"].ravel().astype(np.float32),
        )
        self.masks = {
            name: arrays[f"mask_{name}"].astype(np.float32) / 255.0
            for name in ("lips", "ears", "eyelids")
        }
        self.sleeve = _along_the_arm(self.template, self.weights, self.bone)

    @staticmethod
    @lru_cache(maxsize=1)
    def load() -> Assets:
        """Those of the user's cache.

        Raises ConfigurationError when they were not extracted yet.
        """
        path = default_path()
        if not path.is_file():
            raise ConfigurationError(f"{path} is missing: write it with `avatar train people`")
        return Assets(path)

    def quads(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """Of `skin`, `shell`, `upper_teeth`, ...: vertices and texture corners, int [n, 4] each."""
        return self._arrays[f"{part}_quads"].astype(int), self._arrays[f"{part}_corners"]

    def body(self, physique: Physique) -> Body:
        """The body of this physique. Raises KeyError for an unknown local change."""
        arrays = self._arrays
        gender = (1.0 - physique.gender, physique.gender)
        age = (1.0 - physique.age, physique.age)
        levels = itertools.product(gender, age, _levels(physique.muscle), _levels(physique.weight))
        bodies = np.array([np.prod(factors) for factors in levels], np.float32)
        faces = np.array(
            [np.prod(factors) for factors in itertools.product(gender, age, physique.race)],
            np.float32,
        )
        changes = np.zeros(2 * len(self.change), np.float32)
        for name, value in physique.changes:
            changes[2 * self.change[name] + (value < 0)] = abs(value)
        moved = changes[arrays["change_rows"]]
        used = moved != 0
        vertices = self.template.copy()
        vertices += _mixed(bodies, arrays["body_vertices"]) + _mixed(faces, arrays["race_vertices"])
        np.add.at(
            vertices,
            arrays["change_vertices"][used],
            moved[used, None] * arrays["change_moves"][used].astype(np.float32),
        )
        bones = [
            arrays[key].astype(float)
            + _mixed(bodies, arrays[f"body_{key}"])
            + _mixed(faces, arrays[f"race_{key}"])
            + _mixed(changes, arrays[f"change_{key}"])
            for key in ("heads", "tails")
        ]
        return Body(vertices, bones[0], bones[1])


def default_path() -> Path:
    """Where the assets lie: the file that AVATAR_PEOPLE names, or one in the user's cache."""
    named = os.environ.get(FILE_VARIABLE, "")
    return Path(named).expanduser() if named else user_cache() / FILE_NAME


def _levels(value: float) -> tuple[float, float, float]:
    """Weights of least, average and most for 0..1."""
    low, high = max(0.0, 1.0 - 2.0 * value), max(0.0, 2.0 * value - 1.0)
    return low, 1.0 - low - high, high


def _mixed(weights: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    used = np.flatnonzero(weights)
    return np.tensordot(weights[used], shapes[used].astype(np.float32), axes=1)


def _along_the_arm(template: np.ndarray, weights: np.ndarray, bone: dict[str, int]) -> np.ndarray:
    """float32 [V]: 0 at the shoulder, 1 at the elbow, 2 at the wrist; -1 on the torso."""
    shoulder = np.array([0.168, -0.015, 0.525])
    elbow = np.array([0.313, -0.013, 0.349])
    wrist = np.array([0.431, -0.176, 0.245])
    points = template * (1.0, 1.0, 1.0)
    points[:, 0] = np.abs(points[:, 0])
    upper, fore = elbow - shoulder, wrist - elbow
    first = (points - shoulder) @ upper / (upper @ upper)
    second = (points - elbow) @ fore / (fore @ fore)
    along = np.where(first < 1.0, first, 1.0 + np.clip(second, 0.0, 3.0))
    return np.where(points[:, 0] > 0.12, along, -1.0).astype(np.float32)
