"""Renders the judges' data: true clips and portraits of the training split, as they see them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from avatar_nodes.block.audio_features import MelFeatures
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.action_net import JUDGED_ACTIONS, STRIDE
from avatar_nodes.judging.footage import PORTRAIT_SIDE, Footage, resized
from avatar_nodes.judging.syncnet import sound_columns
from avatar_nodes.world import (
    SHOW,
    Identity,
    Performance,
    Thing,
    render,
    sentences,
    synthesise,
)
from avatar_nodes.world.clips import Clip, ClipSpec

if TYPE_CHECKING:
    from avatar_nodes.world.people import Identity as LifelikeIdentity

Somebody = TypeVar("Somebody", "Identity", "LifelikeIdentity")

EASE_FRAMES = 4
"""Frames from the begin (the end) of an action's block until the action is half there (half gone).
"""
UNSURE = -1
"""Label of the frames in between."""
VIEWS = 4
"""Portraits of a person, and then of someone like them."""
ALIKE_VIEWS = 2
_VISIBLE = (
    ("skin",), ("hair",), ("hair_style",), ("style",), ("glasses",), ("facial_hair",), ("beard",),
    ("garment", "neck"), ("pattern",), ("colours",), ("wall",), ("background",), ("room",),
)  # fmt: skip
"""Features that are seen at a glance; what belongs together is another's together."""
_PEOPLE_OFFSET = {"train": 100_000_000, "val": 400_000_000}


def judge_spec(
    seed: int, *, split: str, blocks: int, timing: BlockTiming | None = None
) -> ClipSpec:
    """A clip full of short actions: rest for a block or two, an action for two or three."""
    rng = np.random.default_rng([seed, 0x1AD6E])
    spans: list[tuple[str, int, int]] = []
    block = int(rng.integers(0, 2))
    order = rng.permutation([*JUDGED_ACTIONS[1:], SHOW])  # twice, for it has many objects
    while block + 2 <= blocks:
        length = int(rng.integers(2, 4))
        spans.append((str(order[len(spans) % len(order)]), block, min(blocks, block + length)))
        block += length + int(rng.integers(1, 3))
    plain = ClipSpec.sample(seed, split=split, blocks=blocks, timing=timing)
    return replace(plain, actions=tuple(spans), thing=Thing.sample(rng))


def action_labels(spec: ClipSpec) -> np.ndarray:
    """int8 [frames]: index into `JUDGED_ACTIONS` of what is being done, or `UNSURE`."""
    size = spec.timing.frames_per_block
    labels = np.zeros(spec.blocks * size, np.int8)
    switches = []
    for name, first, last in spec.actions:
        begin, end = (n * size + EASE_FRAMES for n in (first, last))
        labels[begin:end] = JUDGED_ACTIONS.index(name)
        switches += [begin, end]
    for frame in switches:
        labels[max(0, frame - 2) : frame + 2] = UNSURE
    return labels


def write_judge_clips(
    folder: Path, *, count: int, blocks: int, split: str, seed: int,
    timing: BlockTiming | None = None, people_share: float = 0.0, part: int = 0, parts: int = 1,
) -> None:  # fmt: skip
    """Render `count` clips to one `.npz` each; those that are there already are kept.

    people_share: how many of a hundred show lifelike people, / 100. Raises ConfigurationError where
    those cannot be drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    features = MelFeatures(timing or BlockTiming())
    for index in range(part, count, parts):
        path = folder / f"{split}_{index:05d}.npz"
        if path.exists():
            continue
        place = seed * 1_000_003 + index
        spec = judge_spec(place, split=split, blocks=blocks, timing=timing)
        clip = _lifelike(spec) if _is_lifelike(place, people_share) else Clip(spec)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, allow_pickle=False, **_views(clip, features))
        partial.rename(path)
        if index // parts % 10 == 0:
            print(f"judges: {split} clips {index}/{count}", flush=True)


def _is_lifelike(place: int, people_share: float) -> bool:
    return bool(np.random.default_rng([place, 13]).random() < people_share)


def _lifelike(spec: ClipSpec) -> Clip:
    from avatar_nodes.world.people.clips import PeopleClip  # needs the training extra

    return PeopleClip(spec, photographed=True)


def _views(clip: Clip, features: MelFeatures) -> dict[str, np.ndarray]:
    whole = Footage.truth(clip)
    slow, still = whole.strided(STRIDE), whole.still(clip.reference())
    return {
        "mouths": whole.mouths(),
        "columns": sound_columns(features, whole.sound).numpy().astype(np.float16),
        "aperture": clip.aperture.astype(np.float32),
        "bodies": np.concatenate([still.bodies(), slow.bodies()]),
        "faces": np.concatenate([still.faces(), slow.faces()]),
        "labels": action_labels(clip.spec)[::STRIDE],
    }


def write_portraits(
    folder: Path, *, count: int, split: str, seed: int, people_share: float = 0.0, part: int = 0,
    parts: int = 1,
) -> None:  # fmt: skip
    """Render `count` people, each in four moments, and someone like each of them in two;
    people_share: as in `write_judge_clips`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    path = folder / f"{split}_portraits_{part:02d}_of_{parts:02d}.npy"
    if path.exists():
        return
    lines = [s for s in sentences("train") if s.language == "en"][:8]
    speeches = [synthesise(line.text) for line in lines]
    people = []
    for index in range(part, count, parts):
        rng = np.random.default_rng([seed, _PEOPLE_OFFSET[split], index])
        place = _PEOPLE_OFFSET[split] + seed * 100_003 + index
        shoot = _portrait_of(place, people_share, rng)
        moments = []
        for alike, views in ((False, VIEWS), (True, ALIKE_VIEWS)):
            for _ in range(views):
                action = str(rng.choice(JUDGED_ACTIONS))
                performance = Performance.sample(
                    int(rng.integers(1 << 30)), speeches[int(rng.integers(len(speeches)))], 40,
                    [(action, 0, 3)], Thing.sample(rng),
                )  # fmt: skip
                moments.append(shoot(alike, performance, int(rng.integers(40))))
        people.append(resized(moments, PORTRAIT_SIDE))
        if index // parts % 50 == 0:
            print(f"judges: {split} portraits {index}/{count}", flush=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.save(file, np.stack(people))
    partial.rename(path)


def _portrait_of(
    place: int, people_share: float, rng: np.random.Generator
) -> Callable[[bool, Performance, int], np.ndarray]:
    """Pictures (alike, performance, frame) of the person of this place, or of who is like them."""
    if not _is_lifelike(place, people_share):
        person = Identity.sample(place)
        pair = (person, similar_person(rng, person))
        return lambda alike, performance, n: render(pair[alike], performance, n)
    from avatar_nodes.world.people import Identity as Lifelike  # needs the training extra
    from avatar_nodes.world.people import Shot

    somebody = Lifelike.sample(place)
    two = (somebody, similar_person(rng, somebody))
    return lambda alike, performance, n: Shot(two[alike], performance).picture(n)


def similar_person(rng: np.random.Generator, person: Somebody) -> Somebody:
    """The same person but for three features, which are another's: the judge must tell them apart.

    They are drawn among those that are seen at a glance; drawn and lifelike people alike.
    """
    other = type(person).sample(int(rng.integers(1 << 30)))
    known = {field.name for field in fields(person)}
    differing = [
        names
        for group in _VISIBLE
        if (names := [name for name in group if name in known])
        and getattr(person, names[0]) != getattr(other, names[0])
    ]
    chosen = rng.choice(len(differing), size=min(3, len(differing)), replace=False)
    names = [name for index in chosen for name in differing[index]]
    return replace(person, **{name: getattr(other, name) for name in names})


@dataclass(frozen=True)
class JudgeClips:
    """All rendered clips of a split, in memory; arrays as `write_judge_clips` made them."""

    clips: tuple[dict[str, np.ndarray], ...]

    @classmethod
    def read(cls, folder: Path, split: str) -> JudgeClips:
        """Raises FileNotFoundError when there is none."""
        paths = sorted(folder.glob(f"{split}_*[0-9].npz"))
        if not paths:
            raise FileNotFoundError(f"{folder}: no {split} clips for the judges")
        return cls(tuple(dict(np.load(path)) for path in paths))

    def speaking(self) -> JudgeClips:
        """Those in which the mouth is open for a fifth of the time.

        Raises FileNotFoundError when there is none.
        """
        found = tuple(c for c in self.clips if (c["aperture"] > 0.1).mean() >= 0.2)
        if not found:
            raise FileNotFoundError(f"none of {len(self.clips)} clips for the judges has speech")
        return JudgeClips(found)


def read_portraits(folder: Path, split: str) -> np.ndarray:
    """uint8 [people, 4 + 2, 96, 96, 3]. Raises FileNotFoundError when there are none."""
    paths = sorted(folder.glob(f"{split}_portraits_*.npy"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no {split} portraits for the judges")
    return np.concatenate([np.load(path) for path in paths])
