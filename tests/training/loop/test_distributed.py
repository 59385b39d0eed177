"""Two processes that share the models (FSDP2, gloo) train what one process trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.processes import on_two_processes
from support.train_stages import train_stages
from support.training_run import write_run

from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.loop.distributed import DistributedError, Workers


def test_two_processes_give_the_losses_of_one(tmp_path: Path) -> None:
    data = write_run(tmp_path / "data")
    one = train_stages(data, tmp_path / "one")
    two = on_two_processes("train_stages.py", data, tmp_path / "two")
    assert len(one) == len(two) == 3 + 2 + 2
    for step, (a, b) in enumerate(zip(one, two, strict=True)):
        assert a.keys() == b.keys()
        for name, value in a.items():
            near = pytest.approx(value, rel=2e-3, abs=2e-4)  # a cosine of 0.01 is all rounding
            assert b[name] == near, f"step {step}: {name}"
    for stage in ("teacher", "causal", "distill"):
        name = f"{stage}/export/diffusion_pytorch_model.safetensors"
        a, b = load_file(tmp_path / "one" / name), load_file(tmp_path / "two" / name)
        assert a.keys() == b.keys()
        for key in a:
            torch.testing.assert_close(b[key].float(), a[key].float(), atol=0.01, rtol=0.01)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path) -> None:
    import numpy as np

    workers = Workers()
    workers.count = 2
    batch = EncodedClips(write_run(tmp_path / "run") / "encoded", "train").batch(
        np.random.default_rng(0), 3, 2
    )
    with pytest.raises(DistributedError, match="batch 3"):
        workers.share(batch)


def test_processes_take_turns_in_the_rows(tmp_path: Path) -> None:
    shares = []
    for rank in range(2):
        workers = Workers()
        workers.rank, workers.count = rank, 2
        shares.append(workers.rows(torch.arange(6)))
    assert torch.stack(shares, dim=1).flatten().tolist() == list(range(6))
