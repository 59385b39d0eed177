"""Random conditionings of a stream, and stages that work on them one after another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from avatar_nodes.block.block import BlockConditioning, EpochStart, Prompt, Sink
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.stage import Stage

LATENT = (4, 3, 8, 8)
AUDIO = (1, 6, 17)
TEXT_DIM = 16
SEED = 7


def random_tensor(key: int, shape: Sequence[int]) -> Tensor:
    """Standard normal, the same for the same key."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(key))


def prompt(name: str) -> Prompt:
    return Prompt(name, name, random_tensor(sum(name.encode()), (len(name), TEXT_DIM)))


def reference(prompt_id: str = "talk") -> Sink:
    return Sink(0, random_tensor(99, (4, 1, 8, 8)), prompt_id)


def epoch_start(number: int = 1, first_block: int = 0, **changes: object) -> EpochStart:
    values: dict[str, object] = {"sink": reference(), "prompts": (prompt("talk"),), "seed": SEED}
    return EpochStart(number, first_block, **{**values, **changes})  # type: ignore[arg-type]


def conditioning(
    block: int, *, epoch: int = 1, start: int = 0, **changes: object
) -> BlockConditioning:
    """Block `block` of a stream that begins at `start`; its audio knows their difference only."""
    values: dict[str, object] = {
        "audio": random_tensor(1000 + block - start, AUDIO),
        "prompt_id": "talk",
        "sink_version": 0,
        "seed": SEED,
    }
    return BlockConditioning(epoch, block, **{**values, **changes})  # type: ignore[arg-type]


def run(stages: Sequence[Stage], block: BlockConditioning) -> Tensor:
    """A block through all stages."""
    latent: Tensor | None = None
    for stage in stages:
        latent = stage.process(block, latent)
    assert latent is not None
    return latent


def flow_match(num_steps: int, shift: float = 3.0) -> Schedule:
    """Table of diffusers' FlowMatchEulerDiscreteScheduler over 1000 training levels.

    The shift acts twice: on the training table, which fixes the smallest level, and on the points.
    """

    def shifted(sigma: float) -> float:
        return shift * sigma / (1 + (shift - 1) * sigma)

    gap = (1 - shifted(1 / 1000)) / max(1, num_steps - 1)
    return Schedule([*(shifted(1 - gap * i) for i in range(num_steps)), 0.0])
