"""Measures lip-sync of generated video on people and sentences that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import ClipSync, SyncJudge, measure_footage, speaking_clips
from avatar_nodes.judging.lip_sync import LipSync
from avatar_nodes.judging.picture_strip import write_strip


def summarise(clips: Sequence[ClipSync]) -> Figures:
    """Means over clips: the figures of `avatar eval sync --json` for one system."""
    mean = lambda values: float(np.mean(list(values)))  # noqa: E731
    figures: Figures = {
        "clips": len(clips),
        "aperture_corr": mean(c.sync.correlation for c in clips),
        "aperture_corr_min": min(c.sync.correlation for c in clips),
        "lag_frames": float(np.median([c.sync.lag_frames for c in clips])),
        "lag_frames_worst": max((c.sync.lag_frames for c in clips), key=abs),
        "silence_aperture": mean(c.silence_aperture for c in clips),
        "speech_aperture": mean(c.speech_aperture for c in clips),
    }
    judged = [c.distance for c in clips if c.distance is not None]
    if judged:
        figures["sync_c"] = mean(d.confidence for d in judged)
        figures["sync_d"] = mean(d.distance for d in judged)
        figures["sync_offset"] = float(np.median([d.offset for d in judged]))
    return figures


def evaluate_sync(
    model: Performer, baselines: Sequence[Performer], *, clips: int, blocks: int, unheard: int,
    split: str = "test", judge: SyncJudge | None = None, strips: Path | None = None,
    timing: BlockTiming | None = None,
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure `model` and `baselines` on `clips` clips of `blocks` blocks, and the model on
    `unheard` clips in voices that no training clip has.

    Pictures of each clip, truth above, go to `strips`. Returns the model's figures, with those of
    the baselines and of every clip nested.
    """
    found: dict[str, list[ClipSync]] = {p.name: [] for p in (model, *baselines)}
    count = Countdown(clips * len(found) + unheard, tell)
    for number, clip in enumerate(speaking_clips(clips, blocks, split, timing=timing)):
        for performer in (model, *baselines):
            footage = performer.perform(clip, seed=number)
            result = measure_footage(clip, footage, judge)
            found[performer.name].append(result)
            if strips is not None and performer is model:
                write_strip(strips / f"{number:02d}.png", clip, footage.frames)
            count.done(f"{performer.name}: {_line(result.sync)}")
    figures = summarise(found[model.name])
    if unheard:
        voices = []
        for number, clip in enumerate(
            speaking_clips(unheard, blocks, split, unheard_voice=True, timing=timing)
        ):
            voices.append(measure_footage(clip, model.perform(clip, seed=100 + number), judge))
            count.done(f"unheard voice: {_line(voices[-1].sync)}")
        other = summarise(voices)
        figures["unheard_voice_corr"] = other["aperture_corr"]
        figures["unheard_voices"] = other
    figures["baselines"] = {p.name: summarise(found[p.name]) for p in baselines}
    if "truth" in figures["baselines"]:
        figures["truth_corr"] = figures["baselines"]["truth"]["aperture_corr"]
    figures["per_clip"] = [asdict(result) for result in found[model.name]]
    return figures


def _line(sync: LipSync) -> str:
    return f"correlation {sync.correlation:.3f}, best lag {sync.lag_frames:+d}"
