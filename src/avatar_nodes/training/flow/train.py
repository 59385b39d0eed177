"""Trains a transformer by flow matching: one loop over noised windows (Live Avatar, eq. 1 to 3).

A stage brings its model, how it draws noise levels, and how a sample of it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.flow import noised
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.flow.matching import cell_weight, flow_matching_loss, level_weight
from avatar_nodes.training.loop.distributed import Workers
from avatar_nodes.training.loop.noise import Noise
from avatar_nodes.training.loop.optimizers import Optimizers, learning_rate_scale
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.loop.trained_parameters import TrainedParameters
from avatar_nodes.training.transformer.talking_model import TalkingModel, export_model


@dataclass(frozen=True)
class FlowOptions:
    """Settings of training by flow matching."""

    steps: int = 2500
    minutes: float | None = None
    batch: int = 8
    blocks: int = 3
    """Blocks of a window."""
    learning_rate: float = 1.5e-3
    matrix_learning_rate: float | None = 0.02
    """For the hidden matrices, which Muon updates; null: AdamW updates them, too."""
    warmup: int = 150
    mouth_weight: float = 6.0
    """Loss weight of the latent cells that the mouth touches: lips are few tokens, and late."""
    motion_weight: float = 3.0
    """Loss weight of cells that differ from the reference picture: arms are few tokens, too."""
    reword_share: float = 0.0
    """Share of windows whose prompts are said in other words than the clip's, anew each time. For
    clips of the tiny world."""
    average_decay: float = 0.9985
    compile: bool = True
    """torch.compile the layers: a minute of waiting, then about 40 % less time a step."""
    recompute: bool = False
    """Keep only what enters each layer, and compute the layer again in the backward pass: a third
    more work, and the memory of one layer instead of all."""
    sample_every: int = 500
    """Steps between exports with a sample strip; 0: one export at the end."""
    seed: int = 0


class FlowStage(Protocol):
    """The parts in which stages of flow matching differ."""

    def draw(self, clips: EncodedClips, rng: np.random.Generator) -> tuple[WindowBatch, Tensor]:
        """A batch as the model is to see it, and its noise levels, float32 [B] or [B, N]."""
        ...

    def sample(self, export: Path, picture: Path) -> float:
        """Write a strip of frames made by `export`; returns the aperture correlation."""
        ...


def train_flow(
    options: FlowOptions, model: TalkingModel, stage: FlowStage, *, workers: Workers,
    config: DiTConfig, clips: Path, folder: Path, resume: bool,
) -> None:  # fmt: skip
    """Train `model`; every `sample_every` steps export the averaged weights to `folder/export` and
    sample them: a picture in `folder/samples`, its lip-sync among the curves.
    """
    optimizers = Optimizers(
        model,
        learning_rate=options.learning_rate,
        matrix_learning_rate=options.matrix_learning_rate,
    )
    average = ParameterAverage(model, decay=options.average_decay, trainable_only=True)
    run = TrainingRun(
        folder,
        state={"model": TrainedParameters(model), "optimizers": optimizers, "average": average},
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
        workers=workers,
    )
    if options.compile and workers.count == 1:
        model.dit.compile_training()
    if options.recompute:
        model.dit.recompute_training()
    data = EncodedClips(clips, "train", reword_share=options.reword_share)
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        batch, sigma = stage.draw(data, rng)
        noise = Noise(options.seed * 1_000_003 + step, workers)
        batch, sigma = workers.share(batch), workers.rows(sigma)
        figures = _backward(options, model, batch, sigma, noise(batch.latents.shape), workers)
        figures["grad"] = optimizers.clip(1.0).item()
        optimizers.step(learning_rate_scale(step, run.fraction, options.warmup))
        average.update(step)
        run.log(figures)
        if options.sample_every and (step + 1) % options.sample_every == 0:
            export_model(model, average, config, folder / "export", workers)
            if run.first:
                _sample(stage, run, folder, step + 1)
    export_model(model, average, config, folder / "export", workers)


def _backward(
    options: FlowOptions, model: TalkingModel, batch: WindowBatch, sigma: Tensor, noise: Tensor,
    workers: Workers,
) -> dict[str, float]:  # fmt: skip
    """Gradients of one batch's loss; returns its figures."""
    with workers.mixed_precision():
        velocity = model(batch, noised(batch.latents, noise, sigma), sigma)
    weight = cell_weight(batch, options.mouth_weight, options.motion_weight)
    weight = weight * level_weight(sigma, model.dit.config.prediction)
    loss, mouth, rest = flow_matching_loss(
        velocity.float(), noise - batch.latents, batch.mouth, weight, workers
    )
    loss.backward()
    return {"loss": loss.item(), "mouth": mouth.item(), "rest": rest.item()}


def _sample(stage: FlowStage, run: TrainingRun, folder: Path, step: int) -> None:
    picture = folder / "samples" / f"{step:06d}.png"
    correlation = stage.sample(folder / "export", picture)
    run.curve("val_aperture_corr", correlation, step)
    run.picture("sample", picture, step)
    print(f"step {step}: aperture correlation {correlation:.3f}, {picture}", flush=True)


def begin(seed: int) -> Workers:
    """Fix the seed of what is initialised, and join the other processes of the training."""
    torch.manual_seed(seed)
    return Workers()
