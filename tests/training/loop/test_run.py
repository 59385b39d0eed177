"""A training run: resuming, stopping, refusing NaN."""

import time
from pathlib import Path

import pytest
import torch
from torch import nn

from avatar_nodes.training.loop.run import TrainingDivergedError, TrainingRun


def _train(
    folder: Path, *, steps: int, stop_at: int | None = None, resume: bool = False
) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    run = TrainingRun(
        folder, state={"model": model, "optimizer": optimizer}, steps=steps, resume=resume,
        save_every=1, print_every=2,
    )  # fmt: skip
    for step in run:
        if step == stop_at:
            raise KeyboardInterrupt
        loss = (model(torch.randn(4, 3)) - 1.0).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.log({"loss": loss.item()})
    return model


def test_resumed_run_equals_an_unbroken_one_bit_for_bit(tmp_path: Path) -> None:
    whole = _train(tmp_path / "whole", steps=8)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "broken", steps=8, stop_at=5)
    resumed = _train(tmp_path / "broken", steps=8, resume=True)
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_nan_ends_the_run_and_names_the_good_state(tmp_path: Path) -> None:
    run = TrainingRun(tmp_path, state={}, steps=3)
    for _ in run:
        with pytest.raises(TrainingDivergedError, match=r"state\.pt"):
            run.log({"loss": float("nan")})
        break


def test_half_written_state_does_not_replace_the_good_one(tmp_path: Path) -> None:
    _train(tmp_path, steps=2)
    (tmp_path / "state.partial").write_bytes(b"cut")
    model = _train(tmp_path, steps=2, resume=True)
    assert (tmp_path / "state.pt").exists()
    assert model.weight.isfinite().all()


def test_the_fraction_follows_the_time_where_that_is_what_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A learning rate that falls with it has fallen when the time is over."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    run = TrainingRun(tmp_path, state={}, steps=1000, minutes=1.0)
    shares = []
    for _ in run:
        shares.append(run.fraction)
        clock[0] += 20.0
    assert shares == pytest.approx([0.0, 1 / 3, 2 / 3, 1.0])
    assert run.complete
    assert run.fraction == 1.0


def test_minutes_are_those_of_all_parts_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was stopped ends as soon as one that was not, and with the same learning rate."""
    clock = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    first = TrainingRun(tmp_path, state={}, steps=1000, minutes=2.0)
    for _ in first:
        clock[0] += 30.0
        first._interrupt()
    clock[0] += 9999.0
    rest = TrainingRun(tmp_path, state={}, steps=1000, minutes=2.0, resume=True)
    shares = []
    for _ in rest:
        shares.append(rest.fraction)
        clock[0] += 30.0
    assert shares == pytest.approx([1 / 4, 2 / 4, 3 / 4, 1.0])
    assert rest.complete
