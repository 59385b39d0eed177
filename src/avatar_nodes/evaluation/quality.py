"""Measures picture quality: against the truth, against other pictures, and by published judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.colour import sharpness
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.frechet import frechet_distance
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.published_quality import PictureJudge, VideoFeatures
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.action_net import ActionJudge
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.identity_net import TinyIdentityJudge
from avatar_nodes.judging.image_quality import psnr, ssim
from avatar_nodes.judging.stillness import moving_detail, stillness
from avatar_nodes.world.clips import Clip, Film


class _Collected:
    """Pictures and features of one performer over all clips."""

    def __init__(self) -> None:
        self.psnr: list[float] = []
        self.ssim: list[float] = []
        self.sharpness: list[float] = []
        self.stillness: list[float] = []
        self.moving_detail: list[float] = []
        self.features: dict[str, list[np.ndarray]] = {}
        self.scores: dict[str, list[float]] = {}

    def add_features(self, name: str, rows: np.ndarray) -> None:
        self.features.setdefault(name, []).append(rows)


def evaluate_quality(
    performers: Sequence[Performer], *, clips: int, blocks: int, split: str = "test",
    identity: TinyIdentityJudge | None, actions: ActionJudge | None,
    pictures: Sequence[PictureJudge] = (), videos: VideoFeatures | None = None,
    timing: BlockTiming | None = None, film: Film = Clip,
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Measure each performer, keyed by its name, on `clips` clips of a split; film: in which world.

    PSNR and SSIM are against the truth of the same clip: a person also sways and blinks, which no
    sound tells, so nothing that generates reaches what the autoencoder does. Frechet distances are
    from the truth's features of the same clips.
    """
    found = {p.name: _Collected() for p in performers}
    truth_features = _Collected()
    count = Countdown(clips * len(performers), tell)
    for number, clip in enumerate(speaking_clips(clips, blocks, split, timing=timing, film=film)):
        truth = Footage.truth(clip)
        _features(truth_features, truth, clip, identity, actions, videos)
        for performer in performers:
            footage, row = performer.perform(clip, seed=number), found[performer.name]
            row.psnr.append(psnr(footage.frames, truth.frames))
            row.ssim.append(ssim(footage.frames, truth.frames))
            row.sharpness.append(float(sharpness(footage.frames, clip.reference()).mean()))
            row.stillness.append(_stillness(footage, truth))
            row.moving_detail.append(moving_detail(footage.frames, truth.frames, clip.reference()))
            _features(row, footage, clip, identity, actions, videos)
            for judge in pictures:
                row.scores.setdefault(judge.name, []).append(judge.score(footage.frames[::12]))
            count.done(f"{performer.name}: PSNR {row.psnr[-1]:.2f} dB")
    rows: dict[str, Figures] = {}
    for performer in performers:
        row = found[performer.name]
        figures: Figures = {
            "psnr": float(np.mean(row.psnr)),
            "ssim": float(np.mean(row.ssim)),
            "sharpness": float(np.mean(row.sharpness)),
            "stillness": float(np.nanmean(row.stillness)),
            "moving_detail": float(np.nanmean(row.moving_detail)),
        }
        for name, parts in row.features.items():
            truth_rows = np.concatenate(truth_features.features[name])
            figures[name] = frechet_distance(np.concatenate(parts), truth_rows)
        figures.update({name: float(np.mean(scores)) for name, scores in row.scores.items()})
        if performer.evaluations is not None:
            figures["evaluations"] = performer.evaluations
        rows[performer.name] = figures
    return {"clips": clips, "blocks": blocks, "systems": rows}


def _stillness(footage: Footage, truth: Footage) -> float:
    rate = truth.timing.frame_rate
    if len(truth) < rate:
        return float("nan")
    return stillness(footage.frames, truth.frames, frame_rate=rate)


def against(systems: Mapping[str, Figures], name: str, other: str) -> Figures:
    """Each figure of one system as a share of another's; `error`: the mean squared error that PSNR
    says. Figures that the other has none of, or 0, are left out.
    """
    mine, theirs = systems[name], systems[other]
    shares = {key: mine[key] / theirs[key] for key in mine if theirs.get(key)}
    return {"error": 10.0 ** ((theirs["psnr"] - mine["psnr"]) / 10.0), **shares}


def _features(
    row: _Collected, footage: Footage, clip: Clip, identity: TinyIdentityJudge | None,
    actions: ActionJudge | None, videos: VideoFeatures | None,
) -> None:  # fmt: skip
    if identity is not None:
        row.add_features("frechet_identity_features", identity.features(footage.frames[::2]))
    if actions is not None:
        still = footage.still(clip.reference())
        row.add_features("frechet_action_features", actions.features(footage, still))
    if videos is not None:
        row.add_features("fvd", videos.features(footage.frames))
