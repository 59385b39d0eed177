"""Films the mouth judge's data: lifelike people's mouths, and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from avatar_nodes.judging.mouth_net import VIEW_SIDE, view_of
from avatar_nodes.world.clips import ClipSpec

if TYPE_CHECKING:
    from avatar_nodes.world.people.clips import PeopleClip

VIEW_SHAPE = (80, 112)
"""Rows and columns of a view; the mouth lies anywhere in it."""
_EDGE = (16, 24)
"""The mouth's middle is so far from the view's edges."""
_FRAMES = 24
"""Of each clip, as many moments with an open mouth as with any."""


def write_mouths(
    folder: Path, *, count: int, split: str, seed: int, part: int = 0, parts: int = 1
) -> None:
    """Film `count` people and keep views of their mouths, one `.npz` each; those that are there
    already are kept.

    Raises:
        ConfigurationError: lifelike people cannot be drawn here; what is missing.
    """
    from avatar_nodes.world.people.clips import PeopleClip  # needs the training extra

    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    for index in range(part, count, parts):
        path = folder / f"mouths_{split}_{index:05d}.npz"
        if path.exists():
            continue
        spec = ClipSpec.sample(seed * 1_000_003 + index, split=split, blocks=8)
        clip = PeopleClip(spec, photographed=bool(index % 2))
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, allow_pickle=False, **_views(clip, np.random.default_rng([seed, index])))
        partial.rename(path)
        if index // parts % 10 == 0:
            print(f"judges: {split} mouths {index}/{count}", flush=True)


def _views(clip: PeopleClip, rng: np.random.Generator) -> dict[str, np.ndarray]:
    count = clip.performance.num_frames
    open_ = np.flatnonzero(clip.aperture > 0.1)
    half = rng.permutation(open_)[: _FRAMES // 2]
    rest = rng.permutation(np.setdiff1d(np.arange(count), half))[: _FRAMES - len(half)]
    moments = [int(n) for n in np.concatenate([half, rest])]
    rows, columns = VIEW_SHAPE
    views = []
    for n in moments:
        scale = VIEW_SIDE / clip.size
        x0, y0, x1, y1 = clip.shot.mouth_box(n)
        x = round(scale * (x0 + x1) / 2) - int(rng.integers(_EDGE[1], columns - _EDGE[1]))
        y = round(scale * (y0 + y1) / 2) - int(rng.integers(_EDGE[0], rows - _EDGE[0]))
        views.append(view_of(clip.frame(n), x, y, x + columns, y + rows))
    shapes = np.stack([clip.performance.aperture, clip.performance.rounding], axis=1)
    return {"views": np.stack(views), "shapes": shapes[moments].astype(np.float32)}


def read_mouths(folder: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Views uint8 [N, 80, 112, 3], and aperture and rounding float32 [N, 2].

    Raises FileNotFoundError when there are none.
    """
    paths = sorted(folder.glob(f"mouths_{split}_*[0-9].npz"))
    if not paths:
        raise FileNotFoundError(f"{folder}: no {split} mouths for the judges")
    found = [dict(np.load(path)) for path in paths]
    return tuple(np.concatenate([one[key] for one in found]) for key in ("views", "shapes"))  # type: ignore[return-value]
