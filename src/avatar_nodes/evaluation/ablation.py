"""Runs the papers' ablations: the worth of each part of the method, by a row without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.decoding.decoder import StreamingDecoder
from avatar_nodes.evaluation.long_run import SEGMENT_BLOCKS, LongRun
from avatar_nodes.evaluation.long_speech import LongSpeech
from avatar_nodes.evaluation.performers import StreamPerformer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.clip_sync import SyncJudge
from avatar_nodes.judging.identity_net import IdentityJudge

MANY_STEPS = 40
_SHIFT = 3.0


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    name: str
    """Its name on the command line."""
    title: str
    metric: str
    """The figure that the part serves: it should be worse without it. The papers find AAS and
    History Corrupt in the pictures' quality (ASE, IQA), here how far their edges are from the
    reference's; Rolling RoPE in the identity; distillation in the time that a block takes."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Values of the profile's section `model` that leave the part out."""
    trained: bool = False
    """The part works in training, so the row needs a checkpoint trained without it."""


def many_steps(count: int, shift: float = _SHIFT) -> list[float]:
    """`count` + 1 noise levels from 1 to 0, evenly spaced before the shift."""
    even = [1.0 - n / count for n in range(count + 1)]
    return [shift * s / (1.0 + (shift - 1.0) * s) for s in even]


def ablation_rows(sigmas: Sequence[float]) -> list[Row]:
    """All rows for a model whose noise levels are `sigmas`; the first one leaves out nothing."""
    fewer = list(sigmas)
    if len(fewer) > 3:  # leave out the step that does least: the one at the smallest drop
        drops = [a - b for a, b in pairwise(fewer)]
        del fewer[drops.index(min(drops[:-1])) + 1]
    steps = len(sigmas) - 1
    return [
        Row("full", f"all parts, {steps} steps", "identity_last"),
        Row("fewer_steps", f"{len(fewer) - 1} steps", "corr_last", {"sigmas": fewer}),
        Row("no_aas", "without AAS", "sharpness_off_last", {"adaptive_sink": False}),
        Row("no_rolling_rope", "without Rolling RoPE", "identity_last", {"rolling_rope": False}),
        Row(
            "clean_kv", "clean KV cache", "sharpness_off_last", {"kv_cache": "clean"}, trained=True
        ),
        Row("no_history_corrupt", "without History Corrupt", "sharpness_off_last", trained=True),
        Row(
            "no_distillation", f"without distillation, {MANY_STEPS} steps", "block_ms",
            {"sigmas": many_steps(MANY_STEPS)}, trained=True,
        ),
    ]  # fmt: skip


def select_rows(rows: Sequence[Row], wanted: Sequence[str]) -> list[Row]:
    """The rows named in `wanted` (all of them where it is empty), `full` always first.

    Raises ValueError for an unknown name.
    """
    names = {row.name for row in rows}
    for name in wanted:
        if name not in names:
            raise ValueError(f"unknown row {name!r}; known are {', '.join(sorted(names))}")
    return [row for row in rows if not wanted or row.name in wanted or row.name == "full"]


def evaluate_ablation(
    rows: Sequence[Row],
    build: Callable[[Row, Path | None], tuple[StreamPerformer, StreamingDecoder]], *,
    seconds: float, checkpoints: Mapping[str, Path], identity: IdentityJudge | None,
    sync: SyncJudge | None, seeds: int = 5, timing: BlockTiming | None = None,
    tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Stream every row for `seconds`, on the same persons and sentences with the same noise, and
    measure ten seconds at the start and ten at the end.

    build: makes a row's model and a decoder of its own from the row's checkpoint, or from the
    profile's where that is None. Rows whose part works in training are measured where `checkpoints`
    has a folder for them, and named under `not_measured` otherwise. Figures are means over `seeds`
    persons, and those of each.
    """
    measured: dict[str, Figures] = {}
    persons: dict[str, list[Figures]] = {}
    missing: dict[str, str] = {}
    timing = timing or BlockTiming()
    last = max(SEGMENT_BLOCKS, round(seconds / timing.block_s) - SEGMENT_BLOCKS)
    speeches = [
        LongSpeech(SEGMENT_BLOCKS, minutes=2.0, seed=seed, timing=timing) for seed in range(seeds)
    ]
    for row in rows:
        if row.trained and row.name not in checkpoints:
            missing[row.name] = (
                f"{row.title}: the part works in training; give a checkpoint trained without it"
                f" (--checkpoint-of {row.name}=FOLDER)"
            )
            continue
        tell(f"{row.title}:")
        model, decoder = build(row, checkpoints.get(row.name))
        runs = [
            LongRun(model, decoder, speech, identity=identity, sync=sync).run(
                [0, last], seed=seed, tell=tell
            )
            for seed, speech in enumerate(speeches)
        ]
        persons[row.name] = [_person(run) for run in runs]
        measured[row.name] = {
            "title": row.title, "metric": row.metric, **_means(persons[row.name]),
            "evaluations": model.evaluations, "worse": None, "persons": persons[row.name],
        }  # fmt: skip
        if row.name != "full" and "full" in persons:
            measured[row.name]["worse"] = is_worse(row.metric, persons[row.name], persons["full"])
    return {"seconds": seconds, "persons": seeds, "rows": measured, "not_measured": missing}


_LOWER_IS_BETTER = (
    "identity_drift", "colour_last", "sharpness_off_last", "sync_d_last", "block_ms",
)  # fmt: skip
_SURE = 2.0
"""Standard errors by which a mean difference has to be off 0."""


def is_worse(metric: str, row: Sequence[Figures], full: Sequence[Figures]) -> bool | None:
    """True if the row's own metric is worse than with all parts, as the paper says it should be.

    row, full: figures of the same persons. None: the persons do not agree on it (their mean
    difference is less than two standard errors), there is but one, or it was not measured.
    """
    if len(row) < 2 or any(metric not in figures for figures in (*row, *full)):
        return None
    differences = np.array([r[metric] - f[metric] for r, f in zip(row, full, strict=True)], float)
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    if abs(differences.mean()) <= _SURE * error:
        return None
    return bool((differences.mean() > 0.0) == (metric in _LOWER_IS_BETTER))


def _person(run: Figures) -> Figures:
    """One person's figures."""
    figures: Figures = {}
    for name in ("aperture_corr", "identity", "colour", "sharpness", "sync_c", "sync_d"):
        short = "corr" if name == "aperture_corr" else name
        for place, index in (("first", 0), ("last", -1)):
            value = run["segments"][index][name]
            if value is not None:
                figures[f"{short}_{place}"] = value
                if name == "sharpness":
                    figures[f"sharpness_off_{place}"] = abs(value - 1.0)
    if "identity_first" in figures:
        figures["identity_drift"] = figures["identity_first"] - figures["identity_last"]
    figures["block_ms"] = run["block_ms_last"]
    return figures


def _means(persons: Sequence[Figures]) -> Figures:
    return {name: sum(person[name] for person in persons) / len(persons) for name in persons[0]}
