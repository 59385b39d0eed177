"""Measures if a thing that is shown, hidden for long, and shown again still looks the same.

The second time the prompt says "it", so that what it looks like can come from memory alone; or its
name, which a model without memory can follow as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.clips.stream import Prompts, clip_stream
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.world.clips import Clip, ClipSpec
from avatar_nodes.world.motion import SHOW
from avatar_nodes.world.objects import COLOURS, KINDS, Thing
from avatar_nodes.world.prompts import without_name
from avatar_nodes.world.renderer import render

SHOWN_BLOCKS = 4
_BEFORE = 2
_GESTURES = ("wave", "nod", "lean", "point", "smile")
_GESTURE_BLOCKS = 3
_SHIFTS = (-6, -3, 0, 3, 6)
"""Pixels by which a thing may be out of place and still count as itself."""
_JUDGED = (-10, -3)
"""Frames of a showing that are looked at, from its end: the arm has come to rest."""


def least_hidden(*, past_blocks: int, lag: int, short: int, timing: BlockTiming) -> int:
    """Blocks for which a thing must be hidden so that only long memory can have it.

    Then neither the past blocks nor short memory (`short` latent frames, `lag` blocks behind) hold
    its showing, and none of the past blocks was made with one of them that did.
    """
    return past_blocks + max(past_blocks, lag + -(-short // timing.latents_per_block))


@dataclass(frozen=True)
class Showings:
    """A clip in which a thing is shown twice; `hidden` blocks lie between."""

    clip: Clip
    hidden: int

    @classmethod
    def sample(cls, seed: int, *, hidden: int, timing: BlockTiming | None = None) -> Showings:
        """A person of the test split with any thing, who rests and makes gestures in between."""
        blocks = _BEFORE + 2 * SHOWN_BLOCKS + hidden
        spec = ClipSpec.sample(seed, split="test", blocks=blocks, timing=timing)
        rng = np.random.default_rng([seed, 17])
        again = _BEFORE + SHOWN_BLOCKS + hidden
        spans = [(SHOW, _BEFORE, _BEFORE + SHOWN_BLOCKS)]
        for first in range(_BEFORE + SHOWN_BLOCKS + 2, again - 4, 2 * _GESTURE_BLOCKS):
            name = _GESTURES[int(rng.integers(len(_GESTURES)))]
            spans.append((name, first, min(first + _GESTURE_BLOCKS, again - 2)))
        spans.append((SHOW, again, again + SHOWN_BLOCKS))
        thing = replace(Thing.sample(rng), place="hand")
        return cls(Clip(replace(spec, actions=tuple(spans), thing=thing)), hidden)

    @property
    def again(self) -> int:
        """First block of the second showing."""
        return _BEFORE + SHOWN_BLOCKS + self.hidden

    def lines(self, *, named: bool) -> list[str]:
        """A prompt for each block; the second time by the thing's name, or as "it"."""
        lines = list(self.clip.prompts)
        if not named:
            lines[self.again :] = [without_name(line) for line in lines[self.again :]]
        return lines

    def judged(self, showing: int) -> list[int]:
        """Frames of showing 0 or 1 that are looked at."""
        size = self.clip.spec.timing.frames_per_block
        end = size * ((self.again if showing else _BEFORE) + SHOWN_BLOCKS)
        return [end + n for n in _JUDGED]


def _crops(frame: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """The box's pixels at every allowed shift, float32 [shifts, h, w, 3]."""
    x0, y0, x1, y1 = box
    reach = max(_SHIFTS)
    padded = np.pad(frame.astype(np.float32), ((reach, reach), (reach, reach), (0, 0)), "edge")
    return np.stack(
        [
            padded[y0 + reach + dy : y1 + reach + dy, x0 + reach + dx : x1 + reach + dx]
            for dy, dx in product(_SHIFTS, _SHIFTS)
        ]
    )


def thing_error(frame: np.ndarray, truth: np.ndarray, box: tuple[int, int, int, int]) -> float:
    """Mean absolute difference within a box, in levels of 255, at the best shift."""
    x0, y0, x1, y1 = box
    wanted = truth[y0:y1, x0:x1].astype(np.float32)
    return float(np.abs(_crops(frame, box) - wanted).mean(axis=(1, 2, 3)).min())


class ThingJudge:
    """Tells which thing a frame of a clip shows: the one that is most like it when drawn there.

    An empty hand and the person at rest are drawn, too: then nothing is shown.
    """

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._drawn: dict[int, list[tuple[Thing | None, np.ndarray]]] = {}

    def recognise(self, n: int, frame: np.ndarray) -> Thing | None:
        """The thing in frame number n, uint8 [H, W, 3]; the clip must show one there."""
        box = self._clip.object_box(n)
        assert box is not None
        errors = [(thing_error(frame, drawn, box), thing) for thing, drawn in self._candidates(n)]
        return min(errors, key=lambda found: found[0])[1]

    def _candidates(self, n: int) -> list[tuple[Thing | None, np.ndarray]]:
        clip = self._clip
        if n not in self._drawn:
            shown = clip.performance.thing
            assert shown is not None
            things = [
                replace(shown, kind=kind, colour=colour) for kind, colour in product(KINDS, COLOURS)
            ]
            candidates: list[Thing | None] = [*things, None]
            self._drawn[n] = [(thing, self._draw(thing, n)) for thing in candidates]
            self._drawn[n].append((None, clip.reference()))
        return self._drawn[n]

    def _draw(self, thing: Thing | None, n: int) -> np.ndarray:
        return render(self._clip.identity, replace(self._clip.performance, thing=thing), n)


class Sighting(NamedTuple):
    """One frame of a showing: the thing in it, and its difference from the truth [levels]."""

    thing: Thing | None
    error: float


def sight(
    showings: Showings, judge: ThingJudge, frames: Mapping[int, np.ndarray], showing: int
) -> list[Sighting]:
    """Sightings in the judged `frames` (by number) of showing 0 or 1."""
    clip, seen = showings.clip, []
    for n in showings.judged(showing):
        box = clip.object_box(n)
        assert box is not None
        error = thing_error(frames[n], clip.frame(n), box)
        seen.append(Sighting(judge.recognise(n, frames[n]), error))
    return seen


class Watched(NamedTuple):
    """Sightings in one stream of a clip."""

    wanted: Thing
    first: list[Sighting]
    again: list[Sighting]
    held: bool
    """True if memory held a picture of the thing when it was to be shown again."""


@dataclass(frozen=True)
class Played:
    """A stream's judged frames by number, how long each block took [ms], and `Watched.held`."""

    frames: dict[int, np.ndarray]
    block_ms: list[float]
    held: bool


def play(
    pipeline: Pipeline, prompts: Prompts, showings: Showings, lines: Sequence[str], *, seed: int
) -> Played:
    """Stream a clip under the prompts `lines`."""
    clip = showings.clip
    judged = {n for showing in (0, 1) for n in showings.judged(showing)}
    frames: dict[int, np.ndarray] = {}
    block_ms, held = [], False
    stream = clip_stream(pipeline, prompts, clip, seed=seed, lines=lines)
    for number, sound in enumerate(stream):
        if number == showings.again:
            in_sight = range(_BEFORE + 1, _BEFORE + SHOWN_BLOCKS)
            held = bool({*pipeline.remembered_blocks()} & {*in_sight})
        began = time.perf_counter()
        made = pipeline.render_block(sound)
        block_ms.append(1000.0 * (time.perf_counter() - began))
        first = clip.spec.timing.frames_per_block * number
        frames |= {n: made[n - first] for n in range(first, first + len(made)) if n in judged}
    return Played(frames, block_ms, held)


def evaluate_memory(
    pipelines: Mapping[str, Pipeline], prompts: Prompts, *, clips: int, hidden: int, named: bool,
    seed: int = 900_000, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """A row for each pipeline and for the truth: what judged frames show the first and the second
    time, whether that is the same, whether memory held it; median time of a block.
    """
    found: dict[str, list[Watched]] = {name: [] for name in (*pipelines, "truth")}
    times: dict[str, list[float]] = {name: [] for name in pipelines}
    progress = Countdown(clips, tell)
    timing = next(iter(pipelines.values())).timing
    for number in range(clips):
        showings = Showings.sample(seed + number, hidden=hidden, timing=timing)
        wanted = showings.clip.performance.thing
        assert wanted is not None
        judge = ThingJudge(showings.clip)
        for name, pipeline in pipelines.items():
            made = play(pipeline, prompts, showings, showings.lines(named=named), seed=number)
            times[name] += made.block_ms[showings.again :]
            first, again = (sight(showings, judge, made.frames, showing) for showing in (0, 1))
            found[name].append(Watched(wanted, first, again, made.held))
        truth = {n: showings.clip.frame(n) for showing in (0, 1) for n in showings.judged(showing)}
        first, again = (sight(showings, judge, truth, showing) for showing in (0, 1))
        found["truth"].append(Watched(wanted, first, again, held=True))
        progress.done(wanted.name)
    figures: Figures = {
        "clips": clips,
        "hidden_blocks": hidden,
        "named": named,
        "chance": {"kind": 1.0 / len(KINDS), "colour": 1.0 / len(COLOURS)},
    }
    for name, watched in found.items():
        figures[name] = _row(watched)
        if name in times:
            figures[name]["block_ms"] = float(np.median(times[name]))
    return figures


def _row(watched: Sequence[Watched]) -> Figures:
    """`first_*`, `again_*`: shares of frames with something in the hand (`shown`), of the right
    kind, of the right colour; error. `same_*`: shares of frames with the kind, the colour of the
    first time, right or wrong. `held`: shares of clips.
    """
    row: Figures = {}
    for when in ("first", "again"):
        seen = [(w.wanted, s) for w in watched for s in getattr(w, when)]
        row[f"{when}_shown"] = float(np.mean([s.thing is not None for _, s in seen]))
        for part in ("kind", "colour"):
            right = [_part(s.thing, part) == _part(wanted, part) for wanted, s in seen]
            row[f"{when}_{part}"] = float(np.mean(right))
        row[f"{when}_error"] = float(np.mean([s.error for _, s in seen]))
    pairs = [pair for w in watched for pair in zip(w.first, w.again, strict=True)]
    for part in ("kind", "colour"):
        row[f"same_{part}"] = float(
            np.mean([a.thing is not None and _part(a.thing, part) == _part(b.thing, part)
                     for a, b in pairs])
        )  # fmt: skip
    row["held"] = float(np.mean([w.held for w in watched]))
    return row


def _part(thing: Thing | None, part: str) -> str | None:
    return None if thing is None else str(getattr(thing, part))
