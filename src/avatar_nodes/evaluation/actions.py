"""Measures if prompted actions begin and end, and when, judged on held-out wordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.countdown import Countdown
from avatar_nodes.evaluation.performers import Performer
from avatar_nodes.evaluation.report import Figures
from avatar_nodes.judging.action_net import STRIDE, ActionJudge
from avatar_nodes.judging.footage import Footage
from avatar_nodes.world import Thing
from avatar_nodes.world.clips import Clip, ClipSpec, Film

BEFORE, DURING, AFTER = 3, 5, 4
"""Blocks of rest, of the action and of rest again, in every clip."""
SETTLE_FRAMES = 12
"""A block after the prompt changes, left out of the judgement."""
END_FRAMES = 25
"""An action should be over a second after its prompt is gone."""
_SEED = 95_000
_RUN = 3
"""So many moments in a row (0.24 s) count as a beginning."""


@dataclass(frozen=True)
class Performed:
    """The judge's view of one prompted action."""

    prompted: str
    prompt: str
    seen: str
    """The action of highest mean likelihood while the prompt asked for it."""
    delay_frames: int | None
    """From the prompt to the first 0.24 s in a row of the action; None where it never comes."""
    at_rest_after: bool
    """Rest, from a second after the prompt is gone to the end."""

    @property
    def right(self) -> bool:
        """The prompted action is the one that was seen."""
        return self.prompted == self.seen


def action_clips(
    actions: Sequence[str], people: int, split: str = "test", *,
    timing: BlockTiming | None = None, film: Film = Clip,
) -> Iterator[Clip]:  # fmt: skip
    """For each action `people` clips of a split's people with speech: rest, the action, rest;
    film: in which world.
    """
    for number in range(people):
        for index, action in enumerate(actions):
            seed = _SEED + number * 100 + index
            blocks = BEFORE + DURING + AFTER
            plain = ClipSpec.sample(seed, split=split, blocks=blocks, timing=timing)
            rng = np.random.default_rng([seed, 0xAC])
            span = () if action == "rest" else ((action, BEFORE, BEFORE + DURING),)
            yield film(replace(plain, actions=span, thing=Thing.sample(rng)))


def judge_action(action: str, clip: Clip, footage: Footage, judge: ActionJudge) -> Performed:
    """The judge's view of the actions in footage of an `action_clips` clip."""
    size = clip.spec.timing.frames_per_block
    first, last = BEFORE * size, (BEFORE + DURING) * size
    still = footage.still(clip.reference())
    logits = judge.logits(footage, still)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    during = shares[(first + SETTLE_FRAMES) // STRIDE : last // STRIDE].mean(axis=0)
    after = shares[(last + END_FRAMES) // STRIDE :].mean(axis=0)
    wanted = judge.actions.index(action)
    likeliest = shares.argmax(axis=1)
    return Performed(
        prompted=action,
        prompt=clip.prompts[BEFORE],
        seen=judge.actions[int(during.argmax())],
        delay_frames=_begins(likeliest[first // STRIDE : last // STRIDE] == wanted),
        at_rest_after=judge.actions[int(after.argmax())] == "rest",
    )


def evaluate_actions(
    performers: Sequence[Performer], judge: ActionJudge, *, people: int, split: str = "test",
    timing: BlockTiming | None = None, film: Film = Clip, tell: Callable[[str], None] = print,
) -> Figures:  # fmt: skip
    """Every action of the judge, by `people` people each; the test split's wordings are held out.

    The first performer's figures are on top, the others' under `baselines`.
    """
    found: dict[str, list[Performed]] = {p.name: [] for p in performers}
    count = Countdown(len(judge.actions) * people * len(performers), tell)
    clips = action_clips(judge.actions, people, split, timing=timing, film=film)
    for number, clip in enumerate(clips):
        action = judge.actions[number % len(judge.actions)]
        for performer in performers:
            result = judge_action(action, clip, performer.perform(clip, seed=number), judge)
            found[performer.name].append(result)
            count.done(f"{performer.name}: asked for {action}, seen {result.seen}")
    model, *baselines = performers
    figures = summarise_actions(found[model.name])
    figures["chance"] = 1.0 / len(judge.actions)
    figures["baselines"] = {p.name: summarise_actions(found[p.name]) for p in baselines}
    if "truth" in figures["baselines"]:
        figures["accuracy_on_truth"] = figures["baselines"]["truth"]["accuracy"]
    figures["per_action"] = {
        action: float(np.mean([r.right for r in found[model.name] if r.prompted == action]))
        for action in judge.actions
    }
    figures["per_clip"] = [asdict(result) for result in found[model.name]]
    return figures


def summarise_actions(results: Sequence[Performed]) -> Figures:
    """Shares over clips; the start delay is the median of the actions that came (rest has none)."""
    acted = [r for r in results if r.prompted != "rest"]
    delays = [r.delay_frames for r in acted if r.delay_frames is not None]
    return {
        "clips": len(results),
        "accuracy": float(np.mean([r.right for r in results])),
        "gestures_accuracy": float(np.mean([r.right for r in acted])) if acted else None,
        "begins": len(delays) / len(acted) if acted else None,
        "start_delay_frames": float(np.median(delays)) if delays else None,
        "ends": float(np.mean([r.at_rest_after for r in acted])) if acted else None,
    }


def _begins(wanted: np.ndarray) -> int | None:
    """Frame at which the first run of `_RUN` wanted moments begins; None where there is none."""
    for moment in range(len(wanted) - _RUN + 1):
        if wanted[moment : moment + _RUN].all():
            return moment * STRIDE
    return None
