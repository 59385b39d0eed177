"""Trains the causal few-step model: flow matching with block-wise noise (Live Avatar, stage 1).

The model is trained in the very situation of the stream: every block sees the sink, its past blocks
at their own noise level, and itself. Some windows carry one noise level for all blocks, as
the same-noise KV caches of the stream do, the others independent ones (diffusion forcing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.switched_prompts import switched
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.export_quality import sample_export
from avatar_nodes.training.flow.matching import draw_sigmas
from avatar_nodes.training.flow.train import FlowOptions, begin, train_flow
from avatar_nodes.training.transformer.lora import LowRank
from avatar_nodes.training.transformer.published import Published
from avatar_nodes.training.transformer.talking_model import TalkingModel


@dataclass(frozen=True)
class CausalTraining(FlowOptions):
    """Settings of the causal stage."""

    steps: int = 8000
    blocks: int = 4
    on_schedule_share: float = 0.75
    """Share of noise levels drawn from the few that inference visits; the rest is continuous."""
    same_noise_share: float = 0.5
    """Share of windows with one noise level for all blocks; the others have independent ones. The
    paper: 0."""
    switch_share: float = 0.0
    """Share of the windows with a change of the prompt in which the past is read under the new one
    (`switched`): what a stream does when it switches its caches."""
    lora: LowRank | None = None
    """Train low-rank adapters instead of all weights."""

    def __post_init__(self) -> None:
        for name in ("same_noise_share", "switch_share"):
            if not 0.0 <= (share := getattr(self, name)) <= 1.0:
                raise ValueError(f"{name} must be 0..1, got {share}")


@dataclass(frozen=True)
class _CausalStage:
    options: CausalTraining
    sigmas: Sequence[float]
    vae: Path

    def draw(self, clips: EncodedClips, rng: np.random.Generator) -> tuple[WindowBatch, Tensor]:
        shape = (self.options.batch, self.options.blocks)
        batch = switched(clips.batch(rng, *shape), self.options.switch_share, rng)
        return batch, draw_sigmas(
            rng, shape, self.sigmas[:-1], self.options.on_schedule_share,
            same_noise_share=self.options.same_noise_share,
        )  # fmt: skip

    def sample(self, export: Path, picture: Path) -> float:
        return sample_export(export, self.vae, self.sigmas, picture)


def train_causal(
    options: CausalTraining,
    *,
    config: DiTConfig,
    clips: Path,
    folder: Path,
    sigmas: Sequence[float],
    vae: Path,
    resume: bool,
    text: Path | None = None,
    start: Path | None = None,
    published: Published | None = None,
) -> None:
    """Train; samples are streams of a validation clip through the averaged weights.

    text: a pre-trained text encoder's folder, then frozen. start: the export to begin from (the
    paper begins from the bidirectional model). published: a folder to begin from instead, with its
    own text encoder; `start` may be an export of a stage that began from it.
    """
    workers = begin(options.seed)
    model = TalkingModel.build(
        config, text=text, start=start, adapters=options.lora, published=published
    )
    train_flow(
        options, model.settle(workers), _CausalStage(options, sigmas, vae), workers=workers,
        config=config, clips=clips, folder=folder, resume=resume,
    )  # fmt: skip
