"""Windows whose past is read under the new prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from avatar_nodes.training.data.switched_prompts import prompt_changes, switched
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.flow.matching import cell_weight, flow_matching_loss

INDEX = [[0, 0, 1], [0, 1, 2], [1, 1, 1], [2, 0, 0]]


def _batch() -> WindowBatch:
    rows, blocks = len(INDEX), len(INDEX[0])
    cells = torch.zeros(rows, blocks, 1, 3, 2, 2)
    return WindowBatch(
        latents=torch.randn(rows, blocks, 4, 3, 2, 2),
        sink=torch.zeros(rows, 4, 1, 2, 2),
        sink_prompt=torch.zeros(rows, dtype=torch.int64),
        audio=torch.zeros(rows, blocks, 1, 8, 17),
        mouth=cells,
        motion=cells,
        counts=torch.ones(rows, blocks),
        prompts=["a", "b", "c"],
        prompt_index=torch.tensor(INDEX),
    )


def test_blocks_before_the_last_change_bear_its_prompt_and_do_not_count() -> None:
    batch = switched(_batch(), 1.0, np.random.default_rng(0))
    assert batch.prompt_index.tolist() == [[1, 1, 1], [2, 2, 2], [1, 1, 1], [0, 0, 0]]
    assert batch.counts.tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 1], [0, 1, 1]]
    assert batch.sink_prompt.tolist() == [0, 0, 0, 0], "a stream's sink keeps its prompt"


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_a_share_of_the_windows_is_switched(share: float) -> None:
    rng = np.random.default_rng(1)
    kept = _batch().prompt_index[0].tolist()
    found = [switched(_batch(), share, rng).prompt_index[0].tolist() != kept for _ in range(300)]
    assert np.mean(found) == pytest.approx(share, abs=0.08)


def test_what_does_not_count_is_not_in_the_loss() -> None:
    """Wrong by 1 in the blocks that count, by 100 in those before."""
    batch = switched(_batch(), 1.0, np.random.default_rng(0))
    wrong = torch.where(batch.counts.reshape(4, 3, 1, 1, 1, 1) > 0, 1.0, 100.0)
    target = torch.zeros_like(batch.latents)
    weight = cell_weight(batch, 6.0, 3.0)
    loss, _, _ = flow_matching_loss(target + wrong, target, batch.mouth, weight)
    assert loss.item() == pytest.approx(1.0)


def test_changes_are_found_where_the_prompt_is_another() -> None:
    assert [prompt_changes(torch.tensor(row)) for row in INDEX] == [[2], [1, 2], [], [1]]
