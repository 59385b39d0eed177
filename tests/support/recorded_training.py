"""The figures of every step of training, computed in float32."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from avatar_nodes.training.loop.distributed import Workers
from avatar_nodes.training.loop.run import TrainingRun


@contextmanager
def recorded_figures() -> Iterator[list[dict[str, float]]]:
    """What the runs log meanwhile, means over the processes; a list that grows."""
    figures: list[dict[str, float]] = []
    log = TrainingRun.log

    def recorded(run: TrainingRun, values: Mapping[str, float]) -> None:
        figures.append(run._workers.figures(values))
        log(run, values)

    mixed = Workers.mixed_precision
    TrainingRun.log = recorded  # type: ignore[assignment, method-assign]
    Workers.mixed_precision = _float32  # type: ignore[assignment, method-assign]
    try:
        yield figures
    finally:
        TrainingRun.log = log  # type: ignore[method-assign]
        Workers.mixed_precision = mixed  # type: ignore[method-assign]


def _float32(workers: Workers) -> torch.autocast:
    """What bfloat16 rounds depends on how a batch is cut; the arithmetic must not."""
    return torch.autocast(workers.device.type, enabled=False)
