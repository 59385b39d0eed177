"""Measures how still walls and clothes stay where the truth keeps them still."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer, TruthPerformer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.stillness import covered, stillness
from avatar_nodes.world.clips import Clip, Film

_PLACES = ("stillness", "walls", "clothes")
_LEAST = 0.1
"""Levels below which a change is as good as none: truth is a multiple of nothing otherwise."""


def evaluate_stillness(
    performers: Sequence[Performer], *, clips: int, blocks: int, split: str = "test",
    timing: BlockTiming | None = None, film: Film = Clip, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure each performer, and the truth, on `clips` clips of `blocks` blocks of a split; film:
    in which world.

    Levels of 0..255 by which what is still in truth changes within a second: everywhere
    (`stillness`), where the room is seen (`walls`), and on the person (`clothes`: of a person who
    speaks hardly anything else is still). `*_of_truth`: as a multiple of the truth's, for which
    less than a tenth of a level counts as that. A figure is None where nothing is still.
    """
    systems = [TruthPerformer(), *performers]
    found: dict[str, list[dict[str, float]]] = {p.name: [] for p in systems}
    count = Countdown(clips * len(systems), tell)
    for number, clip in enumerate(speaking_clips(clips, blocks, split, timing=timing, film=film)):
        truth = Footage.truth(clip)
        person = covered(truth.frames, clip.room())
        within = {"stillness": None, "walls": ~person, "clothes": person}
        for performer in systems:
            frames = performer.perform(clip, seed=number).frames
            levels = {
                place: stillness(
                    frames, truth.frames, frame_rate=truth.timing.frame_rate, within=mask
                )
                for place, mask in within.items()
            }
            found[performer.name].append(levels)
            count.done(f"{performer.name}: {levels['stillness']:.2f} levels in a second")
    rows = {name: _means(results) for name, results in found.items()}
    truth_row = rows["truth"]
    for row in rows.values():
        for place in _PLACES:
            level, true = row[place], truth_row[place]
            known = level is not None and true is not None
            row[f"{place}_of_truth"] = max(level, _LEAST) / max(true, _LEAST) if known else None
    return {"clips": clips, "blocks": blocks, "systems": rows}


def _means(results: Sequence[dict[str, float]]) -> Figures:
    row: Figures = {}
    for place in _PLACES:
        levels = np.array([result[place] for result in results])
        known = levels[np.isfinite(levels)]
        row[place] = float(known.mean()) if len(known) else None
    return row
