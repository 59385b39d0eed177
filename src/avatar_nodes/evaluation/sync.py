"""Measures lip-sync of generated video on people and sentences that training never saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import ClipSync, SyncJudge, measure_footage, speaking_clips
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.lip_sync import LipSync
from avatar_nodes.judging.mouth_net import MouthReader
from avatar_nodes.judging.picture_strip import write_strip
from avatar_nodes.judging.recordings import recorded_clips
from avatar_nodes.world.clips import Clip, Film


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
    roundings = [c.rounding_corr for c in clips if c.rounding_corr is not None]
    if roundings:
        figures["rounding_corr"] = mean(roundings)
    closures = [c.closed_share for c in clips if c.closed_share is not None]
    if closures:
        figures["closed_share"] = mean(closures)
    judged = [c.distance for c in clips if c.distance is not None]
    if judged:
        figures["sync_c"] = mean(d.confidence for d in judged)
        figures["sync_d"] = mean(d.distance for d in judged)
        figures["sync_offset"] = float(np.median([d.offset for d in judged]))
    return figures


@dataclass(frozen=True)
class VoiceRow:
    """Clips in other voices: `name` is what their figures are called (`unheard_voice`)."""

    name: str
    count: int
    clips: Iterable[Clip]


def voice_rows(
    *, unheard: int, others: int, speech: Path | None, blocks: int, split: str,
    timing: BlockTiming | None = None, film: Film = Clip,
) -> list[VoiceRow]:  # fmt: skip
    """Clips in voices that no training clip has.

    Args:
        unheard: clips in other accents and timbres of espeak-ng. others: clips by synthesisers that
            are not in training. speech: folder of recordings of human beings with their words.
        film: in which world.

    Raises:
        RecordingsError: the folder holds none.
    """

    def clips(count: int, *, other: bool) -> Iterator[Clip]:
        return speaking_clips(
            count, blocks, split, unheard_voice=True, other_voice=other, timing=timing, film=film
        )

    rows = []
    if unheard:
        rows.append(VoiceRow("unheard_voice", unheard, clips(unheard, other=False)))
    if others:
        rows.append(VoiceRow("other_synthesiser", others, clips(others, other=True)))
    if speech is not None:
        recorded = list(recorded_clips(speech, timing=timing, film=film))
        rows.append(VoiceRow("recording", len(recorded), recorded))
    return rows


def evaluate_sync(
    model: Performer, baselines: Sequence[Performer], *, clips: int, blocks: int,
    voices: Sequence[VoiceRow] = (), split: str = "test", judge: SyncJudge | None = None,
    reader: MouthReader | None = None, strips: Path | None = None,
    timing: BlockTiming | None = None, film: Film = Clip, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure `model` and `baselines` on `clips` clips of `blocks` blocks, and the model on clips
    in other voices.

    reader: of mouths (None: of drawn people's); film: in which world. Pictures of each clip, truth
    above, go to `strips`. Returns the model's figures, with those of
    the baselines, of the other voices and of every clip nested.
    """
    found: dict[str, list[ClipSync]] = {p.name: [] for p in (model, *baselines)}
    count = Countdown(clips * len(found) + sum(row.count for row in voices), tell)

    def strip(name: str, clip: Clip, footage: Footage) -> None:
        if strips is not None:
            write_strip(strips / f"{name}.png", clip, footage.frames)

    for number, clip in enumerate(speaking_clips(clips, blocks, split, timing=timing, film=film)):
        for performer in (model, *baselines):
            footage = performer.perform(clip, seed=number)
            result = measure_footage(clip, footage, judge, reader)
            found[performer.name].append(result)
            if performer is model:
                strip(f"{number:02d}", clip, footage)
            count.done(f"{performer.name}: {_line(result.sync)}")
    figures = summarise(found[model.name])
    for row in voices:
        results = []
        for number, clip in enumerate(row.clips):
            footage = model.perform(clip, seed=100 + number)
            results.append(measure_footage(clip, footage, judge, reader))
            strip(f"{row.name}-{number:02d}", clip, footage)
            count.done(f"{row.name.replace('_', ' ')}: {_line(results[-1].sync)}")
        figures[f"{row.name}s"] = summarise(results)
        figures[f"{row.name}_corr"] = figures[f"{row.name}s"]["aperture_corr"]
    figures["baselines"] = {p.name: summarise(found[p.name]) for p in baselines}
    if "truth" in figures["baselines"]:
        figures["truth_corr"] = figures["baselines"]["truth"]["aperture_corr"]
    figures["per_clip"] = [asdict(result) for result in found[model.name]]
    return figures


def _line(sync: LipSync) -> str:
    return f"correlation {sync.correlation:.3f}, best lag {sync.lag_frames:+d}"
