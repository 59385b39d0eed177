"""Measures the lip-sync of one clip that a system made against the clip's truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.lip_sync import LipSync, correlate, lip_sync
from avatar_nodes.judging.mouth_net import ColourReader, MouthReader
from avatar_nodes.judging.sync_distance import SyncDistance, sync_distance
from avatar_nodes.world.clips import Clip, ClipSpec, Film

_SEED = 90_000
_BILABIAL = ("m", "b", "p")
_CLOSED = 0.1
"""Opening of lips that nobody would call open: two pixels of 22."""


class SyncJudge(Protocol):
    """Embeds the windows of a footage's picture and of its sound in one space."""

    pad: bool
    """True if missing sound counts as zeros, as in the published evaluation."""

    def embed(self, footage: Footage) -> tuple[Tensor, Tensor]:
        """Video and audio embeddings [windows, D] of the same moments."""
        ...


@dataclass(frozen=True)
class ClipSync:
    """One clip's lip-sync, and the mouth's opening in silence."""

    identity: int
    sync: LipSync
    silence_aperture: float
    """Mean measured aperture where the true mouth has been closed for 0.2 s, 0..1."""
    speech_aperture: float
    """Mean measured aperture where the true mouth is open, 0..1."""
    rounding_corr: float | None = None
    """Correlation of the measured rounding with the true one; None: it is not measured."""
    closed_share: float | None = None
    """Share of the sounds m, b and p at which the measured lips close; None: there are none."""
    distance: SyncDistance | None = None
    """Sync-C and Sync-D, where there is a judge."""


def speaking_clips(
    count: int, blocks: int, split: str, *, unheard_voice: bool = False,
    other_voice: bool = False, timing: BlockTiming | None = None, film: Film = Clip,
) -> Iterator[Clip]:  # fmt: skip
    """The first `count` clips of a fixed list with speech for a fifth of their time; timing: of
    their blocks (None: the defaults). unheard_voice, other_voice: as in `ClipSpec`. film: in which
    world.
    """
    found, seed = 0, _SEED
    while found < count:
        spec = ClipSpec.sample(
            seed,
            split=split,
            blocks=blocks,
            unheard_voice=unheard_voice,
            other_voice_share=float(other_voice),
            timing=timing,
        )
        clip = film(spec)
        seed += 1
        if (clip.aperture > 0.1).mean() >= 0.2:
            found += 1
            yield clip


def measure_footage(
    clip: Clip, footage: Footage, judge: SyncJudge | None = None,
    reader: MouthReader | None = None,
) -> ClipSync:  # fmt: skip
    """Compare what a system made of a clip with the clip's truth; reader: of its mouths (None: of
    drawn people's).
    """
    shapes = (reader or ColourReader()).read(footage)
    truth, measured = clip.aperture, shapes.aperture
    closed = np.convolve(truth > 0.03, np.ones(6), mode="full")[: len(truth)] == 0
    return ClipSync(
        identity=clip.spec.identity,
        sync=lip_sync(truth, measured),
        silence_aperture=float(measured[closed].mean()) if closed.any() else 0.0,
        speech_aperture=float(measured[truth > 0.3].mean()) if (truth > 0.3).any() else 0.0,
        rounding_corr=(
            None
            if shapes.rounding is None
            else correlate(clip.performance.rounding, shapes.rounding)
        ),
        closed_share=_closed_share(clip, measured),
        distance=None if judge is None else sync_distance(*judge.embed(footage), pad=judge.pad),
    )


def _closed_share(clip: Clip, measured: np.ndarray) -> float | None:
    """Of m, b and p whose true lips close: those at which the measured ones do, a frame or two
    about them."""
    rate = clip.spec.timing.frame_rate
    closed = []
    for phone in clip.speech.phones:
        first, last = int(phone.start_s * rate), int(np.ceil(phone.end_s * rate)) + 1
        near = slice(first, last + 1)
        if phone.ipa not in _BILABIAL or last >= len(measured):
            continue
        around = clip.aperture[max(0, first - 4) : last + 4]
        if clip.aperture[near].min() < _CLOSED and around.max() > 2 * _CLOSED:
            closed.append(bool(measured[near].min() < _CLOSED))
    return float(np.mean(closed)) if closed else None


def measure_clip(clip: Clip, frames: np.ndarray) -> ClipSync:
    """`measure_footage` of frames [F, H, W, 3] that show the clip's person."""
    return measure_footage(clip, Footage.of(clip, frames))
