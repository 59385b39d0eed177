"""The figures of a change of the prompt, on latents whose truth is known."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from avatar_nodes.evaluation.prompt_change import (
    compare_with_twin,
    stream_latents,
    switch_to_same,
)
from avatar_nodes.streaming.block import Prompt
from avatar_nodes.training.clips import Clip, ClipSpec

FRAMES, CHANGE = 12, 6


def test_what_differs_from_the_twin_counts_from_the_change_on() -> None:
    twin = torch.arange(FRAMES).float().view(-1, 1, 1, 1).expand(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] += torch.tensor([0.0, 1.0, 2.0, 4.0, 4.0, 4.0]).view(-1, 1, 1, 1)
    change = compare_with_twin(latents, twin, CHANGE)
    assert change.distances == (0.0, 1.0, 2.0, 4.0, 4.0, 4.0)
    assert (change.border, change.twin_border, change.largest_step) == (1.0, 1.0, 3.0)
    assert change.visible_after(settled=4.0) == 2
    assert change.visible_after(settled=9.0) is None


def test_a_jump_is_seen_at_the_border() -> None:
    twin = torch.zeros(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] = 3.0
    assert compare_with_twin(latents, twin, CHANGE).border == pytest.approx(3.0)


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
    clip = Clip(ClipSpec.sample(3, split="test", blocks=4))
    pipeline, prompts = FakePipeline(seam), FakePrompts()
    lines = ["quiet", "quiet", "a person waves", "a person waves"]
    twin = stream_latents(cast(Any, pipeline), prompts, clip, lines[:1] * 4, seed=0)
    same = switch_to_same(cast(Any, pipeline), prompts, clip, lines, twin, seed=0)
    before, after = pipeline.prompts
    assert before.id != after.id and torch.equal(before.states, after.states)
    assert same.border - same.twin_border == pytest.approx(seam)
    assert same.distances == pytest.approx((seam,) * 6)
