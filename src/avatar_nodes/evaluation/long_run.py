"""Measures a stream of hours, without storing it, at its start and at its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import psutil
from torch import Tensor

from avatar_nodes.decoding.decoder import StreamingDecoder
from avatar_nodes.evaluation.identity import likeness
from avatar_nodes.evaluation.long_speech import LongSpeech
from avatar_nodes.evaluation.performers import StreamPerformer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import SyncJudge
from avatar_nodes.judging.footage import Footage
from avatar_nodes.judging.identity_net import IdentityJudge
from avatar_nodes.judging.lip_sync import lip_sync
from avatar_nodes.judging.sync_distance import sync_distance

SEGMENT_BLOCKS = 21
"""10.08 s of blocks of 0.48 s."""
STARTS_S = (0.0, 100.0, 1000.0, 10000.0)
"""Times [s] at which the papers look."""
WARM_UP_BLOCKS = 2
"""Latents decoded before a segment, so that the decoder's memory is the stream's."""
REST_BLOCKS = 6
"""Blocks before a segment that already ask for rest."""
TIMED_BLOCKS = 100
"""Number of blocks at the start and at the end whose times are compared."""


@dataclass(frozen=True)
class Segment:
    """Ten seconds of the stream, decoded and measured."""

    start_s: float
    aperture_corr: float
    lag_frames: int
    identity: float | None
    """Mean similarity to the reference picture."""
    colour: float | None
    """Levels of 0..255 by which the picture's colour is off the reference's."""
    sharpness: float | None
    """Edges against the reference's; 1 is as sharp."""
    sync_c: float | None
    sync_d: float | None
    latent_rms: float | None
    """Root mean square of the latents; about 1 as in training, far off when they run away. None:
    they are no finite numbers any more."""


def segment_starts(
    seconds: float, block_s: float, starts_s: Sequence[float] = STARTS_S
) -> list[int]:
    """First blocks of the segments that a stream of `seconds` has: where the papers look, and at
    its end. One that begins at `seconds` follows it.

    Raises ValueError when the stream is shorter than a segment.
    """
    if seconds < SEGMENT_BLOCKS * block_s:
        raise ValueError(f"{seconds:g} s: the shortest long run is {SEGMENT_BLOCKS * block_s:g} s")
    starts = [round(start / block_s) for start in starts_s if start <= seconds]
    end = round(seconds / block_s) - SEGMENT_BLOCKS
    if end >= starts[-1] + SEGMENT_BLOCKS + REST_BLOCKS:
        starts.append(end)
    return starts


class LongRun:
    """Streams one model and measures it at the given blocks."""

    def __init__(
        self, model: StreamPerformer, decoder: StreamingDecoder, speech: LongSpeech, *,
        identity: IdentityJudge | None, sync: SyncJudge | None,
    ) -> None:  # fmt: skip
        """decoder: apart from the pipeline's own, for the segments."""
        self._model = model
        self._block_s = speech.clip.spec.timing.block_s
        self._decoder = decoder
        self._speech = speech
        self._identity = identity
        self._sync = sync
        self._times_ms: list[float] = []
        self._tail: deque[Tensor] = deque(maxlen=WARM_UP_BLOCKS)

    def run(
        self, starts: Sequence[int], *, blocks: int = 0, seed: int = 0,
        tell: Callable[[str], None] = print,
    ) -> Figures:  # fmt: skip
        """Stream to the end of the last segment, or for `blocks` blocks if that is longer."""
        pipeline, prompts = self._model.pipeline, self._model.prompts
        reference = self._speech.clip.reference()
        rest = prompts.encode(self._speech.rest_prompt)
        pipeline.start(reference, rest, seed=seed)
        self._times_ms.clear()
        self._tail.clear()
        if self._decoder.looks_at_reference:
            self._decoder.look_at(reference)
        self._tail.append(self._decoder.encode_reference(reference))
        block_s = self._block_s
        total = max(blocks, starts[-1] + SEGMENT_BLOCKS)
        segments: list[Segment] = []
        timeline: list[Figures] = []
        current, quiet, rss_first = rest.text, set(starts), 0.0
        began, told = time.monotonic(), 0.0
        number = 0
        while number < total:
            if number in quiet:
                segments.append(self._measure(number))
                tell(_segment_line(segments[-1], block_s))
                current = rest.text
                number += SEGMENT_BLOCKS
            else:
                said = self._speech.block(number)
                near = any(0 < start - number <= REST_BLOCKS for start in quiet)
                wanted = rest.text if near else said.prompt
                if wanted != current:
                    pipeline.set_prompt(prompts.encode(wanted))
                    current = wanted
                self._tail.append(self._denoise(said.samples))
                number += 1
            if not rss_first and number >= min(total // 2, 2 * TIMED_BLOCKS):
                rss_first = _rss_mb()
            elapsed = time.monotonic() - began
            if elapsed - told > 30.0:
                told = elapsed
                left = elapsed / number * (total - number) / 60
                tell(f"{number * block_s:.0f}/{total * block_s:.0f} s, {left:.0f} min left")
                timeline.append({"s": number * block_s, "block_ms": self._recent(),
                                 "rss_mb": _rss_mb()})  # fmt: skip
        figures = self._summary(segments, rss_first)
        figures["seconds"] = total * block_s
        figures["timeline"] = timeline
        return figures

    def _denoise(self, samples: np.ndarray) -> Tensor:
        began = time.perf_counter()
        latent = self._model.pipeline.denoise_block(samples)
        self._times_ms.append(1000.0 * (time.perf_counter() - began))
        return latent

    def _measure(self, first: int) -> Segment:
        """Ten seconds of rest with the known sentences, decoded."""
        pipeline, clip = self._model.pipeline, self._speech.clip
        pipeline.set_prompt(self._model.prompts.encode(self._speech.rest_prompt))
        self._decoder.reset()
        for latent in self._tail:
            self._decoder.decode(latent)
        frames, squares = [], []
        for number in range(SEGMENT_BLOCKS):
            latent = self._denoise(self._speech.segment_block(number).samples)
            squares.append(float(latent.square().mean()))
            frames.append(self._decoder.decode(latent))
            self._tail.append(latent)
        footage = Footage.of(clip, np.concatenate(frames))
        mouth = lip_sync(clip.aperture, footage.apertures())
        like = None
        if self._identity is not None:
            like = likeness(footage, clip.reference(), self._identity)
        synced = None
        if self._sync is not None:
            synced = sync_distance(*self._sync.embed(footage), pad=self._sync.pad)
        half = lambda a, b: 0.5 * (a + b)  # noqa: E731
        return Segment(
            start_s=first * self._block_s,
            aperture_corr=mouth.correlation,
            lag_frames=mouth.lag_frames,
            identity=None if like is None else like.mean,
            colour=None if like is None else half(like.colour_start, like.colour_end),
            sharpness=None if like is None else half(like.sharpness_start, like.sharpness_end),
            sync_c=None if synced is None else synced.confidence,
            sync_d=None if synced is None else synced.distance,
            latent_rms=float(np.sqrt(np.mean(squares))) if np.isfinite(squares).all() else None,
        )

    def _recent(self) -> float:
        return float(np.median(self._times_ms[-TIMED_BLOCKS:]))

    def _summary(self, segments: Sequence[Segment], rss_first: float) -> Figures:
        early, late = segments[0], segments[-1]
        steady = self._times_ms[min(20, len(self._times_ms) // 2) :]
        figures: Figures = {
            "block_ms_first": float(np.median(steady[:TIMED_BLOCKS])),
            "block_ms_last": float(np.median(steady[-TIMED_BLOCKS:])),
            "rss_mb_first": rss_first,
            "rss_mb_last": _rss_mb(),
            "corr_first": early.aperture_corr,
            "corr_last": late.aperture_corr,
        }
        if early.identity is not None and late.identity is not None:
            figures["identity_first"] = early.identity
            figures["identity_last"] = late.identity
            figures["identity_drift"] = early.identity - late.identity
        if early.colour is not None and late.colour is not None:
            figures["colour_drift"] = late.colour - early.colour
        figures["segments"] = [asdict(segment) for segment in segments]
        return figures


def _rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def _segment_line(segment: Segment, block_s: float) -> str:
    likeness_text = "" if segment.identity is None else f", identity {segment.identity:.3f}"
    end = segment.start_s + SEGMENT_BLOCKS * block_s
    lost = ", latents no longer finite" if segment.latent_rms is None else ""
    said = f"correlation {segment.aperture_corr:.3f}{likeness_text}{lost}"
    return f"{segment.start_s:.0f}-{end:.0f} s: {said}"
