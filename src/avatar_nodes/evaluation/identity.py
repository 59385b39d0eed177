"""Measures if a person stays the same: similarity to the reference over time, and colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.colour import colour_shift, sharpness
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.identity_net import IdentityJudge
from avatar_nodes.world.clips import Clip, Film

EDGE_FRAMES = 50
"""`start` and `end` are means over the first and last two seconds."""


@dataclass(frozen=True)
class Likeness:
    """One clip's similarity to its reference picture, at its start and at its end."""

    start: float
    end: float
    mean: float
    """Over all frames."""
    lowest: float
    """Mean over all single frames."""
    colour_start: float
    """Levels of 0..255, as the next ones."""
    colour_end: float
    sharpness_start: float
    """Edges against the reference's; 1 is as sharp."""
    sharpness_end: float

    @property
    def drift(self) -> float:
        """Similarity lost from start to end; negative where the end is more alike."""
        return self.start - self.end


def likeness(footage: Footage, reference: np.ndarray, judge: IdentityJudge) -> Likeness:
    """Compare footage with the reference picture uint8 [H, W, 3] of its person."""
    edge = min(EDGE_FRAMES, max(1, len(footage) // 2))
    similarity = (judge.embed(footage.frames) @ judge.embed(reference[None])[0]).numpy()
    ends = np.concatenate([footage.frames[:edge], footage.frames[-edge:]])
    colour, sharp = colour_shift(ends, reference), sharpness(ends, reference)
    return Likeness(
        start=float(similarity[:edge].mean()),
        end=float(similarity[-edge:].mean()),
        mean=float(similarity.mean()),
        lowest=float(similarity.min()),
        colour_start=float(colour[:edge].mean()),
        colour_end=float(colour[-edge:].mean()),
        sharpness_start=float(sharp[:edge].mean()),
        sharpness_end=float(sharp[-edge:].mean()),
    )


def evaluate_identity(
    performers: Sequence[Performer], judge: IdentityJudge, *, clips: int, blocks: int,
    split: str = "test", timing: BlockTiming | None = None, film: Film = Clip,
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure each performer on `clips` people of a split, who speak and act for `blocks`
    blocks; film: in which world. The first performer's figures are on top, the others' under
    `baselines`.

    `other_people` is the mean similarity of the different people's references: what losing the
    person altogether would score.
    """
    found: dict[str, list[Likeness]] = {p.name: [] for p in performers}
    references = []
    count = Countdown(clips * len(found), tell)
    for number, clip in enumerate(speaking_clips(clips, blocks, split, timing=timing, film=film)):
        references.append(clip.reference())
        for performer in performers:
            result = likeness(performer.perform(clip, seed=number), references[-1], judge)
            found[performer.name].append(result)
            count.done(f"{performer.name}: similarity {result.start:.3f} -> {result.end:.3f}")
    model, *baselines = performers
    figures = _summary(found[model.name])
    if clips > 1:
        vectors = judge.embed(np.stack(references))
        between = (vectors @ vectors.T).numpy()
        figures["other_people"] = float(between[~np.eye(clips, dtype=bool)].mean())
    figures["judge"] = judge.name
    figures["baselines"] = {p.name: _summary(found[p.name]) for p in baselines}
    figures["per_clip"] = [asdict(result) for result in found[model.name]]
    return figures


def _summary(clips: Sequence[Likeness]) -> Figures:
    mean = lambda name: float(np.mean([getattr(clip, name) for clip in clips]))  # noqa: E731
    figures: Figures = {"clips": len(clips), "start": mean("start"), "end": mean("end")}
    figures["drift"] = mean("drift")
    figures["lowest"] = min(clip.lowest for clip in clips)
    for name in ("colour_start", "colour_end", "sharpness_start", "sharpness_end"):
        figures[name] = mean(name)
    figures["colour_drift"] = figures["colour_end"] - figures["colour_start"]
    return figures
