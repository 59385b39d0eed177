"""The figures of a change of the prompt, on latents whose truth is known."""

from __future__ import annotations

import pytest
import torch

from avatar_nodes.evaluation.prompt_change import compare_with_twin

FRAMES, CHANGE = 12, 6


def test_what_differs_from_the_twin_counts_from_the_change_on() -> None:
    twin = torch.arange(FRAMES).float().view(-1, 1, 1, 1).expand(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] += torch.tensor([0.0, 1.0, 2.0, 4.0, 4.0, 4.0]).view(-1, 1, 1, 1)
    change = compare_with_twin(latents, twin, CHANGE)
    assert change.distances == (0.0, 1.0, 2.0, 4.0, 4.0, 4.0)
    assert (change.border, change.twin_border) == (1.0, 1.0)
    assert change.visible_after(settled=4.0) == 2
    assert change.visible_after(settled=9.0) is None


def test_a_jump_is_seen_at_the_border() -> None:
    twin = torch.zeros(FRAMES, 2, 4, 4)
    latents = twin.clone()
    latents[CHANGE:] = 3.0
    assert compare_with_twin(latents, twin, CHANGE).border == pytest.approx(3.0)
