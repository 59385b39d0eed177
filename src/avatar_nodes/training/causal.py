"""Trains the causal few-step model: flow matching with block-wise noise (Live Avatar, stage 1).

The model is trained in the very situation of the stream: every block sees the sink, its past blocks
at their own noise level, and itself. Half of the windows carry one noise level for all blocks, as
the same-noise KV caches of the stream do, half carry independent ones (diffusion forcing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.distributed import Workers
from avatar_nodes.training.encoded import EncodedClips
from avatar_nodes.training.flow_matching import (
    cell_weight,
    draw_sigmas,
    flow_matching_loss,
    noised,
)
from avatar_nodes.training.lora import LowRank
from avatar_nodes.training.noise import Noise
from avatar_nodes.training.optimizers import Optimizers, learning_rate_scale
from avatar_nodes.training.parameter_average import ParameterAverage
from avatar_nodes.training.run import TrainingRun
from avatar_nodes.training.samples import sample_export
from avatar_nodes.training.talking_model import TalkingModel, export_model


@dataclass(frozen=True)
class CausalTraining:
    """How to train the causal model."""

    steps: int = 8000
    minutes: float | None = None
    batch: int = 8
    blocks: int = 4
    learning_rate: float = 1.5e-3
    matrix_learning_rate: float | None = 0.02
    """For the hidden matrices, which Muon updates; null: AdamW updates them, too."""
    warmup: int = 150
    mouth_weight: float = 6.0
    """Loss weight of the latent cells that the mouth touches: lips are few tokens, and late."""
    motion_weight: float = 3.0
    """Loss weight of cells that differ from the reference picture: arms are few tokens, too."""
    on_schedule_share: float = 0.75
    """Share of noise levels drawn from the few that inference visits; the rest is continuous."""
    lora: LowRank | None = None
    """Train low-rank adapters instead of all weights."""
    compile: bool = True
    """torch.compile the layers: a minute of waiting, then about 40 % less time a step."""
    sample_every: int = 500
    """Steps between exports with a sample strip; 0: one export at the end."""
    seed: int = 0


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
) -> None:
    """Train; every `sample_every` steps export the averaged weights to `folder/export` and stream a
    validation clip through them: a picture in `folder/samples`, its lip-sync among the curves.

    text: a pre-trained text encoder's folder, then frozen. start: the export to begin from (the
    paper begins from the bidirectional model).
    """
    torch.manual_seed(options.seed)
    workers = Workers()
    model = TalkingModel.build(config, text=text, start=start, adapters=options.lora)
    model.settle(workers)
    optimizers = Optimizers(
        model,
        learning_rate=options.learning_rate,
        matrix_learning_rate=options.matrix_learning_rate,
    )
    average = ParameterAverage(model, decay=0.9985, trainable_only=True)
    run = TrainingRun(
        folder,
        state={"model": model, "optimizers": optimizers, "average": average},
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
        workers=workers,
    )
    if options.compile and workers.count == 1:
        model.dit.compile_training()
    data = EncodedClips(clips, "train")
    levels = sigmas[:-1]
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        draw = Noise(options.seed * 1_000_003 + step, workers)
        batch = workers.share(data.batch(rng, options.batch, options.blocks))
        shape = (options.batch, options.blocks)
        sigma = workers.rows(draw_sigmas(rng, shape, levels, options.on_schedule_share))
        noise = draw(batch.latents.shape)
        with workers.mixed_precision():
            velocity = model(batch, noised(batch.latents, noise, sigma), sigma)
        loss, mouth, rest = flow_matching_loss(
            velocity.float(), noise - batch.latents, batch.mouth,
            cell_weight(batch, options.mouth_weight, options.motion_weight), workers,
        )  # fmt: skip
        loss.backward()
        norm = optimizers.clip(1.0)
        optimizers.step(learning_rate_scale(step, run.fraction, options.warmup))
        average.update(step)
        run.log(
            {"loss": loss.item(), "mouth": mouth.item(), "rest": rest.item(), "grad": norm.item()}
        )
        if options.sample_every and (step + 1) % options.sample_every == 0:
            export_model(model, average, config, folder / "export", workers)
            if not run.first:
                continue
            picture = folder / "samples" / f"{step + 1:06d}.png"
            correlation = sample_export(folder / "export", vae, sigmas, picture)
            run.curve("val_aperture_corr", correlation, step + 1)
            print(f"step {step + 1}: aperture correlation {correlation:.3f}, {picture}", flush=True)
    export_model(model, average, config, folder / "export", workers)
