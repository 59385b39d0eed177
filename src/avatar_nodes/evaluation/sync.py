"""Lip-sync of generated video on people and sentences that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from avatar_nodes.evaluation.aperture import aperture_series
from avatar_nodes.evaluation.lip_sync import LipSync, lip_sync
from avatar_nodes.streaming.block import Prompt
from avatar_nodes.streaming.pipeline import Pipeline
from avatar_nodes.training.clips import Clip, ClipSpec

_SEED = 90_000


@dataclass(frozen=True)
class ClipSync:
    """One clip's lip-sync, how far the mouth stays open in silence, and the picture's likeness."""

    identity: int
    sync: LipSync
    silence_aperture: float
    """Mean measured aperture where the true mouth has been closed for 0.2 s, 0..1."""
    speech_aperture: float
    """Mean measured aperture where the true mouth is open, 0..1."""
    reference_sync: float
    """Correlation of the same measure on the true frames: what a perfect model would reach."""


@dataclass(frozen=True)
class SyncReport:
    """Lip-sync over all clips."""

    clips: tuple[ClipSync, ...]

    def summary(self) -> dict[str, float | int]:
        """The figures of `avatar eval sync --json`."""
        mean = lambda values: float(np.mean(list(values)))  # noqa: E731
        return {
            "clips": len(self.clips),
            "aperture_corr": mean(c.sync.correlation for c in self.clips),
            "aperture_corr_min": min(c.sync.correlation for c in self.clips),
            "lag_frames": float(np.median([c.sync.lag_frames for c in self.clips])),
            "lag_frames_worst": max((c.sync.lag_frames for c in self.clips), key=abs),
            "silence_aperture": mean(c.silence_aperture for c in self.clips),
            "speech_aperture": mean(c.speech_aperture for c in self.clips),
            "truth_corr": mean(c.reference_sync for c in self.clips),
        }

    def rows(self) -> list[dict[str, object]]:
        """One plain mapping a clip."""
        return [asdict(clip) for clip in self.clips]


def speaking_clips(count: int, blocks: int, split: str) -> Iterator[Clip]:
    """The first `count` clips of a fixed list with speech for a fifth of their time."""
    found, seed = 0, _SEED
    while found < count:
        clip = Clip(ClipSpec.sample(seed, split=split, blocks=blocks))
        seed += 1
        if (clip.aperture > 0.1).mean() >= 0.2:
            found += 1
            yield clip


class Prompts(Protocol):
    """Whatever turns a prompt's text into what the stages attend to."""

    def encode(self, text: str) -> Prompt:
        """The same text always gives the same id and states."""
        ...


def generate(pipeline: Pipeline, prompts: Prompts, clip: Clip, *, seed: int = 0) -> np.ndarray:
    """Video of `clip`'s person saying what `clip` says: uint8 [frames, H, W, 3]."""
    first, *later = [prompts.encode(text) for text in clip.prompts]
    pipeline.start(clip.reference(), first, seed=seed)
    samples = np.round(clip.sound * 32767.0).astype(np.int16).reshape(clip.spec.blocks, -1)
    frames = [pipeline.render_block(samples[0])]
    for prompt, sound in zip(later, samples[1:], strict=True):
        pipeline.set_prompt(prompt)
        frames.append(pipeline.render_block(sound))
    return np.concatenate(frames)


def measure_clip(clip: Clip, frames: np.ndarray) -> ClipSync:
    """Compare `frames` of a clip with its truth."""
    truth = clip.aperture
    measured = np.asarray(aperture_series(frames, clip.search_box))
    true_frames = np.stack([clip.frame(n) for n in range(len(truth))])
    closed = np.convolve(truth > 0.03, np.ones(6), mode="full")[: len(truth)] == 0
    return ClipSync(
        identity=clip.spec.identity,
        sync=lip_sync(truth, measured),
        silence_aperture=float(measured[closed].mean()) if closed.any() else 0.0,
        speech_aperture=float(measured[truth > 0.3].mean()) if (truth > 0.3).any() else 0.0,
        reference_sync=lip_sync(
            truth, np.asarray(aperture_series(true_frames, clip.search_box))
        ).correlation,
    )


def evaluate_sync(
    pipeline: Pipeline, prompts: Prompts, *, clips: int, blocks: int, split: str = "test",
    strips: Path | None = None, progress: Callable[[str], None] = print,
) -> SyncReport:  # fmt: skip
    """Generate and measure `clips` clips of `blocks` blocks; pictures of each go to `strips`."""
    results = []
    for number, clip in enumerate(speaking_clips(clips, blocks, split)):
        frames = generate(pipeline, prompts, clip, seed=number)
        results.append(measure_clip(clip, frames))
        if strips is not None:
            write_strip(strips / f"{number:02d}.png", clip, frames)
        sync = results[-1].sync
        progress(
            f"clip {number + 1}/{clips}: correlation {sync.correlation:.3f}, "
            f"best lag {sync.lag_frames:+d}"
        )
    return SyncReport(tuple(results))


def write_strip(path: Path, clip: Clip, frames: np.ndarray, *, columns: int = 8) -> None:
    """Truth above, generated below, at evenly spaced moments."""
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    moments = [int(n) for n in np.linspace(6, len(frames) - 1, columns)]
    truth = np.concatenate([clip.frame(n) for n in moments], axis=1)
    made = np.concatenate([frames[n] for n in moments], axis=1)
    picture = np.concatenate([truth, made], axis=0)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
