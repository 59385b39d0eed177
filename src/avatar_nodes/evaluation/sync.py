"""Lip-sync of generated video on people and sentences that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.lip_sync import LipSync, lip_sync
from avatar_nodes.judging.sync_distance import SyncDistance, sync_distance
from avatar_nodes.world.clips import Clip, ClipSpec

_SEED = 90_000


class SyncJudge(Protocol):
    """Embeds the windows of a footage's picture and of its sound in one space."""

    pad: bool
    """Whether missing sound counts as zeros, as in the published evaluation."""

    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        """Video and audio embeddings [windows, D] of the same moments."""
        ...


@dataclass(frozen=True)
class ClipSync:
    """One clip's lip-sync, and how far the mouth stays open in silence."""

    identity: int
    sync: LipSync
    silence_aperture: float
    """Mean measured aperture where the true mouth has been closed for 0.2 s, 0..1."""
    speech_aperture: float
    """Mean measured aperture where the true mouth is open, 0..1."""
    distance: SyncDistance | None = None
    """Sync-C and Sync-D, where there is a judge."""


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


def speaking_clips(
    count: int, blocks: int, split: str, *, unheard_voice: bool = False
) -> Iterator[Clip]:
    """The first `count` clips of a fixed list with speech for a fifth of their time."""
    found, seed = 0, _SEED
    while found < count:
        spec = ClipSpec.sample(seed, split=split, blocks=blocks, unheard_voice=unheard_voice)
        clip = Clip(spec)
        seed += 1
        if (clip.aperture > 0.1).mean() >= 0.2:
            found += 1
            yield clip


def measure_footage(clip: Clip, footage: Footage, judge: SyncJudge | None = None) -> ClipSync:
    """Compare what a system made of a clip with the clip's truth."""
    truth, measured = clip.aperture, footage.apertures()
    closed = np.convolve(truth > 0.03, np.ones(6), mode="full")[: len(truth)] == 0
    return ClipSync(
        identity=clip.spec.identity,
        sync=lip_sync(truth, measured),
        silence_aperture=float(measured[closed].mean()) if closed.any() else 0.0,
        speech_aperture=float(measured[truth > 0.3].mean()) if (truth > 0.3).any() else 0.0,
        distance=None if judge is None else sync_distance(*judge.embed(footage), pad=judge.pad),
    )


def measure_clip(clip: Clip, frames: np.ndarray) -> ClipSync:
    """`measure_footage` of frames [F, H, W, 3] that show the clip's person."""
    return measure_footage(clip, Footage.of(clip, frames))


def evaluate_sync(
    model: Performer, baselines: Sequence[Performer], *, clips: int, blocks: int, unheard: int,
    split: str = "test", judge: SyncJudge | None = None, strips: Path | None = None,
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure `model` and `baselines` on `clips` clips of `blocks` blocks, and the model on
    `unheard` clips in voices that no training clip has.

    Pictures of each clip, truth above, go to `strips`. Returns the model's figures, with those of
    the baselines and of every clip nested.
    """
    found: dict[str, list[ClipSync]] = {p.name: [] for p in (model, *baselines)}
    count = Countdown(clips * len(found) + unheard, tell)
    for number, clip in enumerate(speaking_clips(clips, blocks, split)):
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
        for number, clip in enumerate(speaking_clips(unheard, blocks, split, unheard_voice=True)):
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


def write_strip(path: Path, clip: Clip, frames: np.ndarray, *, columns: int = 8) -> None:
    """Truth above, generated below, at evenly spaced moments."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    moments = [int(n) for n in np.linspace(6, len(frames) - 1, columns)]
    truth = np.concatenate([clip.frame(n) for n in moments], axis=1)
    made = np.concatenate([frames[n] for n in moments], axis=1)
    picture = np.concatenate([truth, made], axis=0)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def _line(sync: LipSync) -> str:
    return f"correlation {sync.correlation:.3f}, best lag {sync.lag_frames:+d}"
