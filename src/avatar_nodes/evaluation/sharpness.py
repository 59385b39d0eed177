"""Measures how sharp faces, hands and things are, against the truth of the same moments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.actions import action_clips
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.detail import gradient_energy
from avatar_nodes.world import SHOW
from avatar_nodes.world.clips import Clip, Film
from avatar_nodes.world.renderer import Box

ACTIONS = ("wave", "thumbs_up", SHOW)
"""Of these hands and things are seen."""
PARTS = ("face", "hands", "things")
_EVERY = 3


def evaluate_sharpness(
    performers: Sequence[Performer], *, people: int, split: str = "test",
    timing: BlockTiming | None = None, film: Film = Clip, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure each performer where `people` people do each of `ACTIONS`; film: in which world.

    Energy of the gradients within the truth's boxes, over every third frame, as a share of the
    truth's: 1 is as sharp, less is smeared or not there, more is noise or grain. None where the
    clips show no such part.
    """
    found = {p.name: dict.fromkeys(PARTS, 0.0) for p in performers}
    wanted = dict.fromkeys(PARTS, 0.0)
    count = Countdown(people * len(ACTIONS) * len(performers), tell)
    clips = action_clips(ACTIONS, people, split, timing=timing, film=film)
    for number, clip in enumerate(clips):
        boxes = {n: _boxes(clip, n) for n in range(0, clip.performance.num_frames, _EVERY)}
        true = _energies({n: clip.frame(n) for n in boxes}, boxes)
        for part in PARTS:
            wanted[part] += true[part]
        for performer in performers:
            frames = performer.perform(clip, seed=number).frames
            made = _energies({n: frames[n] for n in boxes}, boxes)
            for part in PARTS:
                found[performer.name][part] += made[part]
            count.done(f"{performer.name}: face {made['face'] / true['face']:.2f} of the truth")
    systems = {
        name: {part: row[part] / wanted[part] if wanted[part] else None for part in PARTS}
        for name, row in found.items()
    }
    return {"people": people, "systems": systems}


def _boxes(clip: Clip, n: int) -> dict[str, list[Box]]:
    """The parts of frame `n`; hands that hold a thing are the thing's."""
    thing = clip.object_box(n)
    return {
        "face": [clip.face_box(n)],
        "hands": clip.hand_boxes(n) if thing is None else [],
        "things": [] if thing is None else [thing],
    }


def _energies(
    frames: Mapping[int, np.ndarray], boxes: Mapping[int, dict[str, list[Box]]]
) -> dict[str, float]:
    return {
        part: sum(gradient_energy(frames[n], there[part]) for n, there in boxes.items())
        for part in PARTS
    }
