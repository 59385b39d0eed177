"""The figures of a change of the prompt, on latents whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from avatar_nodes.block.block import Prompt
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.evaluation.prompt_change import (
    SAME_PROMPT,
    TRUTH,
    PromptChange,
    compare_with_twin,
    stream_latents,
    switch_to_same,
)
from avatar_nodes.evaluation.prompt_change_clips import CHANGE_BLOCK, prompt_change_clips
from avatar_nodes.evaluation.prompt_change_figures import change_figures, change_rows
from avatar_nodes.world.clips import Clip, ClipSpec

FRAMES, CHANGE = 12, 6


def _frames(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).float().view(-1, 1, 1, 1).expand(len(values), 2, 4, 4)


def test_what_differs_from_the_twin_counts_from_the_change_on() -> None:
    twin = _frames(range(FRAMES))
    latents = twin.clone()
    latents[CHANGE:] += _frames([0.0, 1.0, 2.0, 4.0, 4.0, 4.0])
    change = compare_with_twin(latents, twin, BlockTiming(), CHANGE)
    assert change.distances == (0.0, 1.0, 2.0, 4.0, 4.0, 4.0)
    assert (change.border, change.largest_step) == (1.0, 3.0)
    assert change.later_borders == (3.0,)
    assert change.twin_borders == (1.0, 1.0)


def test_a_change_is_visible_when_half_of_the_way_is_made() -> None:
    twin = torch.zeros(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] = _frames([0.5, 1.0, 3.0, 4.0, 4.0, 4.0])
    change = compare_with_twin(latents, twin, BlockTiming(), CHANGE)
    assert change.visible_after(settled=4.0) == pytest.approx(2.5)  # half-way from 1 to 3
    assert change.visible_after(settled=0.5) == pytest.approx(0.5)  # from none before the change
    assert change.visible_after(settled=9.0) is None
    assert change.visible_after(settled=0.0) is None, "nothing changed"


def test_a_jump_is_seen_at_the_border() -> None:
    twin = torch.zeros(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] = 3.0
    assert compare_with_twin(latents, twin, BlockTiming(), CHANGE).border == pytest.approx(3.0)


def _change(border: float, later: float, twin: float, *far: float) -> PromptChange:
    return PromptChange(border, (later,), (twin,), border, far)


def test_a_jump_is_what_the_truth_and_ordinary_borders_do_not_have() -> None:
    truth = [_change(2.0, 0.5, 0.1, 2.0, 4.0)] * 2
    smooth = [_change(2.2, 0.7, 0.3, 2.0, 4.0), _change(2.4, 0.9, 0.5, 2.0, 4.0)]
    jumps = [_change(3.2, 0.7, 0.3, 3.2, 4.0), _change(3.4, 0.7, 0.3, 3.4, 4.0)]
    rows = change_rows({"smooth": smooth, "jumps": jumps, SAME_PROMPT: smooth, TRUTH: truth})
    assert rows["smooth"]["over_truth"] == pytest.approx(0.3)
    assert rows["smooth"]["ordinary_over_truth"] == pytest.approx(0.3)
    assert rows["smooth"]["jump"] == pytest.approx(0.0)
    assert rows["smooth"]["jump_se"] == pytest.approx(0.0)
    assert rows["jumps"]["jump"] == pytest.approx(1.1)
    assert rows["jumps"]["jump_se"] == pytest.approx(0.1)
    assert "jump" not in rows[TRUTH] and "visible_after_s" not in rows[SAME_PROMPT]


def test_how_much_sooner_a_change_is_seen_is_a_mean_over_pairs() -> None:
    slow = [_change(0.0, 0.0, 0.0, 1.0, 2.0, 4.0), _change(0.0, 0.0, 0.0, 0.0, 4.0, 4.0)]
    fast = [_change(0.0, 0.0, 0.0, 2.0, 4.0, 4.0), _change(0.0, 0.0, 0.0, 2.0, 4.0, 4.0)]
    half = [np.mean(c.distances) / 2 for c in slow]  # all three frames are "the end" here
    rows = change_rows({"slow": slow, "fast": fast, TRUTH: slow})
    after = [half[0] - 1 + 1, half[1] / 4 + 1], [half[0] / 2, half[1] / 2]
    gained = 0.16 * (np.array(after[0]) - np.array(after[1]))
    assert rows["slow"]["visible_after_s"] == pytest.approx(0.16 * np.mean(after[0]))
    assert rows["fast"]["sooner_s"] == pytest.approx(gained.mean())
    assert rows["fast"]["sooner_se"] == pytest.approx(abs(gained[0] - gained[1]) / 2)
    assert "sooner_s" not in rows["slow"]


def test_all_kinds_together_are_a_table_of_their_own() -> None:
    one, two = [_change(1.0, 0.0, 0.0, 1.0)], [_change(3.0, 0.0, 0.0, 1.0)]
    figures = change_figures({"begins": {"a": one, TRUTH: one}, "ends": {"a": two, TRUTH: two}})
    assert [figures[k]["a"]["border"] for k in ("all", "begins", "ends")] == [2.0, 1.0, 3.0]
    assert figures["begins"]["a"]["jump_se"] is None, "one change has no spread"


def test_clips_change_once_and_their_twins_do_not() -> None:
    for changing in prompt_change_clips(["wave", "nod", "lean", "smile", "shrug"], 1, blocks=6):
        lines, twin = changing.clip.prompts, changing.twin.prompts
        assert len(set(lines)) == 2 and len(set(twin)) == 1
        assert lines[:CHANGE_BLOCK] == twin[:CHANGE_BLOCK] and lines[CHANGE_BLOCK] != twin[0]
        assert np.array_equal(changing.clip.sound, changing.twin.sound)
        names = [name for name, *_ in changing.clip.spec.actions]
        spans = {"begins": 1, "ends": 1, "becomes another": 2}
        assert len(set(names)) == spans[changing.kind]
        first = 12 * CHANGE_BLOCK - 1
        assert np.array_equal(changing.clip.frame(first), changing.twin.frame(first))
        assert not np.array_equal(changing.clip.frame(first + 9), changing.twin.frame(first + 9))


class FakePipeline:
    """Latents that depend on the text alone; a switch of the caches moves all that follow."""

    def __init__(self, seam: float) -> None:
        self.seam = seam
        self.prompts: list[Prompt] = []

    def start(self, reference: np.ndarray, prompt: Prompt, *, seed: int) -> None:
        self.prompts, self.block = [prompt], 0

    def set_prompt(self, prompt: Prompt) -> None:
        self.prompts.append(prompt)

    def denoise_block(self, sound: np.ndarray) -> Tensor:
        self.block += 1
        step = torch.arange(3.0).view(1, 3, 1, 1) + 3.0 * self.block
        text = float(self.prompts[-1].states.sum())
        return (step + text + self.seam * (len(self.prompts) - 1)).expand(2, 3, 4, 4)


class FakePrompts:
    def encode(self, text: str) -> Prompt:
        return Prompt(id=text, text=text, states=torch.full((1, 1), float(len(text))))


@pytest.mark.parametrize("seam", [0.0, 0.5])
def test_a_switch_to_the_same_prompt_shows_the_seam_of_the_rebuild_alone(seam: float) -> None:
    clip = Clip(ClipSpec.sample(3, split="test", blocks=5))
    pipeline, prompts = FakePipeline(seam), FakePrompts()
    twin = stream_latents(cast(Any, pipeline), prompts, clip, ["quiet"] * 5, seed=0)
    same = switch_to_same(cast(Any, pipeline), prompts, clip, "quiet", twin, seed=0)
    before, after = pipeline.prompts
    assert before.id != after.id and torch.equal(before.states, after.states)
    assert same.border - same.twin_borders[1] == pytest.approx(seam)
    assert same.distances == pytest.approx((seam,) * 6)
