"""Sums up many changes of the prompt: means, jumps, and how much sooner they are seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from avatar_nodes.evaluation.prompt_change import SAME_PROMPT, TRUTH, PromptChange
from avatar_nodes.evaluation.report import Figures


def change_figures(found: Mapping[str, Mapping[str, Sequence[PromptChange]]]) -> Figures:
    """`change_rows` of each kind of change, and of all of them (`all`)."""
    streams = next(iter(found.values()))
    together = {name: [c for kind in found.values() for c in kind[name]] for name in streams}
    return {"all": change_rows(together), **{kind: change_rows(of) for kind, of in found.items()}}


def change_rows(changes: Mapping[str, Sequence[PromptChange]]) -> Figures:
    """A row for each stream; every stream has the same changes in the same order.

    Changes are visible at half of what the first stream settles at, in the truth at half of its
    own. `over_truth` is the mean over changes of how far the step at the change is above the
    truth's, `ordinary_over_truth` the same of ordinary borders, `jump` their difference. `sooner_s`
    is by how much sooner a change is visible than in the first stream. `_se` are standard errors of
    means of differences. The stream `SAME_PROMPT` has neither, `TRUTH` must be among them.
    """
    first, truth = next(iter(changes.values())), changes[TRUTH]
    rows: Figures = {}
    for name, these in changes.items():
        by = truth if name == TRUTH else first
        rows[name] = _means(these) if name == SAME_PROMPT else {**_means(these), **_seen(these, by)}
        if name not in (SAME_PROMPT, TRUTH):
            rows[name] |= _jump(these, truth)
            if these is not first:
                rows[name] |= _sooner(these, first)
    return rows


def _means(changes: Sequence[PromptChange]) -> Figures:
    return {
        "border": float(np.mean([c.border for c in changes])),
        "later_border": float(np.mean([c.later_borders for c in changes])),
        "twin_border": float(np.mean([c.twin_borders for c in changes])),
        "largest_step": float(np.mean([c.largest_step for c in changes])),
        "distances": np.mean([c.distances for c in changes], axis=0).tolist(),
    }


def _after(changes: Sequence[PromptChange], by: Sequence[PromptChange]) -> np.ndarray:
    """Seconds after which each is visible; NaN: never."""
    frames = [c.visible_after(b.settled) for c, b in zip(changes, by, strict=True)]
    latent_s = np.array([c.timing.latent_s for c in changes])
    return latent_s * np.array([np.nan if n is None else n for n in frames])


def _seen(changes: Sequence[PromptChange], by: Sequence[PromptChange]) -> Figures:
    after = _after(changes, by)
    seen = after[~np.isnan(after)]
    return {
        "visible_share": len(seen) / len(after),
        "visible_after_s": float(seen.mean()) if len(seen) else None,
    }


def _sooner(changes: Sequence[PromptChange], first: Sequence[PromptChange]) -> Figures:
    gained = _after(first, first) - _after(changes, first)
    return _mean_of_differences("sooner", gained[~np.isnan(gained)], unit="_s")


def _jump(changes: Sequence[PromptChange], truth: Sequence[PromptChange]) -> Figures:
    over = np.array([c.over(true) for c, true in zip(changes, truth, strict=True)])
    return {
        "over_truth": float(over[:, 0].mean()),
        "ordinary_over_truth": float(over[:, 1].mean()),
        **_mean_of_differences("jump", over[:, 0] - over[:, 1]),
    }


def _mean_of_differences(name: str, values: np.ndarray, unit: str = "") -> Figures:
    """Mean and standard error; None where there are too few."""
    return {
        f"{name}{unit}": float(values.mean()) if len(values) else None,
        f"{name}_se": float(values.std(ddof=1) / len(values) ** 0.5) if len(values) > 1 else None,
    }
