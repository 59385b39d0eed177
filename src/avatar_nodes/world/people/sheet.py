"""Puts many people side by side, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from avatar_nodes.world.motion import ACTIONS, SHOW, Performance
from avatar_nodes.world.objects import Thing
from avatar_nodes.world.people.identity import Identity
from avatar_nodes.world.people.shot import Shot
from avatar_nodes.world.speech import Speech

_FRAMES = 48


def people_sheet(
    seeds: Sequence[int], speech: Speech, *, size: int = 256, columns: int = 6
) -> np.ndarray:
    """uint8 [rows * size, columns * size, 3]: a frame of each person, eyes open, as they speak."""
    pictures = []
    for place, seed in enumerate(seeds):
        performance = Performance.sample(seed, speech, _FRAMES)
        shot = Shot(Identity.sample(seed), performance, size=size)
        open_eyed = np.flatnonzero(performance.blink[8:] < 0.05) + 8
        pictures.append(shot.picture(int(open_eyed[place % len(open_eyed)])))
    return tiled(pictures, columns)


def portrait(seed: int, *, size: int = 512) -> np.ndarray:
    """uint8 [size, size, 3]: the person of this seed, silent, with open eyes."""
    performance = Performance.sample(seed, None, _FRAMES)
    shot = Shot(Identity.sample(seed), performance, size=size)
    return shot.picture(int(np.argmin(performance.blink)))


def actions_sheet(seed: int, *, size: int = 256, columns: int = 6) -> np.ndarray:
    """uint8 [rows * size, columns * size, 3]: six moments of each action of one person."""
    pictures = []
    for action in (*ACTIONS, SHOW):
        thing = Thing("toy duck", "yellow") if action == SHOW else None
        performance = Performance.sample(seed, None, _FRAMES, [(action, 1, 3)], thing)
        shot = Shot(Identity.sample(seed), performance, size=size)
        pictures += [shot.picture(n) for n in (14, 17, 21, 26, 31, 38)]
    return tiled(pictures, columns)


def tiled(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one size in rows; what is missing in the last row is black."""
    missing = -len(pictures) % columns
    full = [*pictures, *[np.zeros_like(pictures[0])] * missing]
    rows = [np.hstack(full[n : n + columns]) for n in range(0, len(full), columns)]
    return np.vstack(rows)
