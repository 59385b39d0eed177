"""Distils the teacher into the few-step causal model: Self-Forcing DMD (Live Avatar, stage 2).

Three models: the generator rolls windows out as the stream does; the real score is the frozen
teacher; the fake score learns, by flow matching, what the generator makes. The generator moves
along the difference of the two scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.training.distributed import Workers
from avatar_nodes.training.dmd import ScoreNoise, compare_scores
from avatar_nodes.training.encoded import EncodedClips, WindowBatch
from avatar_nodes.training.flow_matching import (
    cell_weight,
    draw_sigmas,
    flow_matching_loss,
    level_weight,
    noised,
)
from avatar_nodes.training.guidance import EMPTY_PROMPT, Conditions, Guidance, whole_velocity
from avatar_nodes.training.lora import LowRank
from avatar_nodes.training.noise import Noise
from avatar_nodes.training.optimizers import Optimizers, learning_rate_scale
from avatar_nodes.training.parameter_average import ParameterAverage
from avatar_nodes.training.run import TrainingRun
from avatar_nodes.training.samples import sample_export
from avatar_nodes.training.self_forcing import (
    Rollout,
    SelfForcing,
    Transition,
    backward_by_block,
    roll_out,
)
from avatar_nodes.training.talking_model import TalkingModel, export_model


@dataclass(frozen=True)
class DistillTraining:
    """How to distil. One step is `fake_updates` of the fake score, then one of the generator."""

    steps: int = 300
    minutes: float | None = None
    batch: int = 4
    blocks: int = 3
    """Blocks of a window that are judged; the teacher's number."""
    lead_blocks: int = 0
    """Blocks that the generator makes before them, without being judged by them: what it is judged
    by then has a full window of its own past, as in a long stream."""
    learning_rate: float = 1e-4
    """Of the generator; AdamW for all its parameters."""
    fake_learning_rate: float = 4e-5
    fake_updates: int = 5
    fake_rollouts: int | None = None
    """Of these updates, those that roll new windows out; the others take the same ones in turn at
    other noise levels. Rolling out is most of a step's time. None: all."""
    warmup: int = 10
    audio_guidance: float = 2.0
    text_guidance: float = 2.0
    """Guidance of the real score."""
    normalise: bool = True
    """Divide the gradient by the distance from the real estimate, as DMD does."""
    noise: ScoreNoise = field(default_factory=ScoreNoise)
    history_corrupt: bool = True
    history_noise: float = 0.0
    adaptive_sink: bool = True
    transition: Transition = "fresh"
    block_by_block: bool = False
    """Algorithm 2: less memory, one more evaluation of every block's exit step."""
    regression_weight: float = 0.0
    """Weight of plain flow matching on data beside the matching loss. Not in the papers: a tiny
    model with few data may drift from the world otherwise."""
    mouth_weight: float = 6.0
    motion_weight: float = 3.0
    """Cell weights of the fake score's loss (the teacher's) and of the regression."""
    average_decay: float = 0.99
    lora: LowRank | None = None
    """Train low-rank adapters of both moving models instead of all their weights."""
    compile: bool = True
    sample_every: int = 50
    """Steps between exports with a sample strip; 0: one export at the end."""
    seed: int = 0

    def __post_init__(self) -> None:
        rollouts = self.fake_rollouts
        if rollouts is not None and not 1 <= rollouts <= max(1, self.fake_updates):
            raise ValueError(
                f"fake_rollouts must be 1..{self.fake_updates} (fake_updates), got {rollouts}"
            )


class Made(NamedTuple):
    """Windows that the generator has made."""

    batch: WindowBatch
    """What they were made from; the blocks that are judged."""
    clean: Tensor
    """float32 [B, N, C, 3, h, w]."""


class Distillation:
    """The three models and the updates of two of them."""

    def __init__(
        self, options: DistillTraining, *, teacher: Path, student: Path, sigmas: Sequence[float],
        workers: Workers | None = None,
    ) -> None:  # fmt: skip
        self.options = options
        self.workers = workers or Workers()
        self.rolling = SelfForcing(
            tuple(sigmas), options.history_corrupt, options.history_noise, options.adaptive_sink,
            options.transition,
        )  # fmt: skip
        self.generator = TalkingModel.load(student, adapters=options.lora).settle(self.workers)
        self.real = TalkingModel.load(teacher).requires_grad_(False).settle(self.workers)
        self.fake = TalkingModel.load(teacher, adapters=options.lora).settle(self.workers)
        self.config = self.generator.dit.config
        if self.config.latent_shape != self.real.dit.config.latent_shape:
            raise CheckpointError(f"{teacher} and {student} are not of one latent shape")
        rates = (options.learning_rate, options.fake_learning_rate)
        self.optimizers, self.fake_optimizers = (
            Optimizers(model, learning_rate=rate, betas=(0.0, 0.999))
            for model, rate in zip((self.generator, self.fake), rates, strict=True)
        )
        self.average = ParameterAverage(
            self.generator, decay=options.average_decay, trainable_only=True
        )
        self._guidance = Guidance(options.audio_guidance, options.text_guidance)

    def compile(self, backend: str = "inductor") -> None:
        """Compile the layers of all three; they share the compiled code."""
        for model in (self.generator, self.real, self.fake):
            model.dit.compile_training(backend)

    def state(self) -> dict[str, object]:
        """What a checkpoint of the run holds."""
        return {
            "generator": self.generator,
            "fake": self.fake,
            "optimizers": self.optimizers,
            "fake_optimizers": self.fake_optimizers,
            "average": self.average,
        }

    def make(self, batch: WindowBatch, rng: np.random.Generator, noise: Noise) -> Made:
        """What the generator makes of a batch, for the fake score to learn."""
        with self.workers.mixed_precision():
            clean = self._roll(batch, rng, noise).clean
        return Made(batch.last(self.options.blocks), clean)

    def update_fake(
        self, made: Made, rng: np.random.Generator, noise: Noise, scale: float
    ) -> dict[str, float]:
        """One flow-matching update of the fake score on what the generator has made."""
        batch, clean = made
        with self.workers.mixed_precision():
            sigma = self.workers.rows(self.options.noise.draw(rng, self.options.batch))
            eps = noise(clean.shape)
            conditions = _conditions(self.fake, batch)
            velocity = whole_velocity(self.fake.dit, noised(clean, eps, sigma), sigma, conditions)
        weight = self._weight(batch, sigma, self.fake)
        loss, _, _ = flow_matching_loss(
            velocity.float(), eps - clean, batch.mouth, weight, self.workers
        )
        loss.backward()
        norm = self.fake_optimizers.clip(1.0)
        self.fake_optimizers.step(scale)
        return {"fake": loss.item(), "fake_grad": norm.item()}

    def update_generator(
        self, batch: WindowBatch, rng: np.random.Generator, noise: Noise, scale: float
    ) -> dict[str, float]:
        """One update of the generator along the difference of the scores (Algorithm 1 or 2)."""
        whole = not self.options.block_by_block
        with self.workers.mixed_precision():
            rollout = self._roll(batch, rng, noise, graph=whole)
            batch = batch.last(self.options.blocks)
            clean = rollout.clean.detach()
            sigma = self.workers.rows(self.options.noise.draw(rng, self.options.batch))
            matching = compare_scores(
                clean, sigma, noise(clean.shape), real=self.real.dit,
                fake=self.fake.dit, real_conditions=_conditions(self.real, batch),
                fake_conditions=_conditions(self.fake, batch), guidance=self._guidance,
                normalise=self.options.normalise,
            )  # fmt: skip
            if not whole:
                own = _conditions(self.generator, batch)
                backward_by_block(self.generator.dit, own, rollout, matching.gradient)
        if whole:
            rollout.clean.backward(matching.gradient)
        figures = {"distance": matching.distance}
        if self.options.regression_weight:
            figures["regression"] = self._regress(batch, rng, noise)
        figures["grad"] = self.optimizers.clip(1.0).item()
        self.optimizers.step(scale)
        return figures

    def _regress(self, batch: WindowBatch, rng: np.random.Generator, noise: Noise) -> float:
        """Gradient of plain flow matching on the batch's data; see `regression_weight`."""
        levels = self.rolling.sigmas[:-1]
        shape = (self.options.batch, self.options.blocks)
        sigma = self.workers.rows(draw_sigmas(rng, shape, levels, 1.0))
        eps = noise(batch.latents.shape)
        with self.workers.mixed_precision():
            velocity = self.generator(batch, noised(batch.latents, eps, sigma), sigma)
        weight = self._weight(batch, sigma, self.generator)
        loss, _, _ = flow_matching_loss(
            velocity.float(), eps - batch.latents, batch.mouth, weight, self.workers
        )
        (self.options.regression_weight * loss).backward()
        return loss.item()

    def _weight(self, batch: WindowBatch, sigma: Tensor, model: TalkingModel) -> Tensor:
        """Loss weights of flow matching: of cells, and of noise levels."""
        options = self.options
        weight = cell_weight(batch, options.mouth_weight, options.motion_weight)
        return weight * level_weight(sigma, model.dit.config.prediction)

    def _roll(
        self, batch: WindowBatch, rng: np.random.Generator, noise: Noise, *,
        graph: bool = False,
    ) -> Rollout:  # fmt: skip
        """The generator's windows, left at a random step that all blocks share; of the batch's
        blocks those that are judged, its last."""
        exit_step = int(rng.integers(self.rolling.steps))
        conditions = _conditions(self.generator, batch)
        rollout = roll_out(
            self.generator.dit, conditions, tuple(batch.latents.shape), self.rolling, exit_step,
            noise, graph=graph, lead=self.options.lead_blocks,
        )  # fmt: skip
        return rollout.last(self.options.blocks)


def _conditions(model: TalkingModel, batch: WindowBatch) -> Conditions:
    states = model.states([*batch.prompts, EMPTY_PROMPT])
    return Conditions.of(batch, states)


def train_distill(
    options: DistillTraining, *, clips: Path, folder: Path, teacher: Path, student: Path,
    sigmas: Sequence[float], vae: Path, resume: bool,
) -> None:  # fmt: skip
    """Distil `teacher` (an export) into the model that begins as `student` (an export).

    Leaves the averaged generator in `folder/export`, sample strips, and lip-sync among the curves.
    """
    torch.manual_seed(options.seed)
    work = Distillation(options, teacher=teacher, student=student, sigmas=sigmas)
    run = TrainingRun(
        folder,
        state=work.state(),
        steps=options.steps,
        minutes=options.minutes,
        resume=resume,
        save_every=25,
        print_every=5,
        workers=work.workers,
    )
    if options.compile and work.workers.count == 1:
        work.compile()
    data, length = EncodedClips(clips, "train"), options.lead_blocks + options.blocks
    rollouts = options.fake_rollouts or options.fake_updates
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        noise = Noise(options.seed * 1_000_003 + step, work.workers)
        scale = learning_rate_scale(step, run.fraction, options.warmup)
        made: list[Made] = []
        for update in range(options.fake_updates):
            if update < rollouts:
                batch = work.workers.share(data.batch(rng, options.batch, length))
                made.append(work.make(batch, rng, noise))
            figures = work.update_fake(made[update % rollouts], rng, noise, scale)
        batch = work.workers.share(data.batch(rng, options.batch, length))
        figures |= work.update_generator(batch, rng, noise, scale)
        work.average.update(step)
        run.log(figures)
        if options.sample_every and (step + 1) % options.sample_every == 0:
            export_model(work.generator, work.average, work.config, folder / "export", work.workers)
            if not run.first:
                continue
            picture = folder / "samples" / f"{step + 1:06d}.png"
            correlation = sample_export(folder / "export", vae, sigmas, picture)
            run.curve("val_aperture_corr", correlation, step + 1)
            print(f"step {step + 1}: aperture correlation {correlation:.3f}, {picture}", flush=True)
    export_model(work.generator, work.average, work.config, folder / "export", work.workers)
