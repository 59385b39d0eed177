"""Distils the teacher into the few-step causal model: Self-Forcing DMD (Live Avatar, stage 2).

Three models: the generator rolls windows out as the stream does; the real score is the frozen
teacher; the fake score learns, by flow matching, what the generator makes. The generator moves
along the difference of the two scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.conditions import EMPTY_PROMPT, Conditions
from avatar_nodes.clips.flow import noised
from avatar_nodes.clips.guidance import Guidance, whole_velocity
from avatar_nodes.model.checkpoint import CheckpointError
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.export_quality import sample_export
from avatar_nodes.training.flow.dmd import ScoreNoise, compare_scores, truth_gradient
from avatar_nodes.training.flow.matching import (
    cell_weight,
    draw_sigmas,
    flow_matching_loss,
    level_weight,
)
from avatar_nodes.training.flow.self_forcing import (
    Rollout,
    SelfForcing,
    Transition,
    backward,
    backward_by_block,
    roll_out,
)
from avatar_nodes.training.loop.distributed import Workers
from avatar_nodes.training.loop.noise import Noise
from avatar_nodes.training.loop.optimizers import Optimizers, learning_rate_scale
from avatar_nodes.training.loop.parameter_average import ParameterAverage
from avatar_nodes.training.loop.run import TrainingRun
from avatar_nodes.training.loop.trained_parameters import TrainedParameters
from avatar_nodes.training.transformer.lora import LowRank
from avatar_nodes.training.transformer.published import Published
from avatar_nodes.training.transformer.talking_model import TalkingModel, export_model


@dataclass(frozen=True)
class DistillTraining:
    """Settings of distillation. One step is `fake_updates` of the fake score, then one of the
    generator."""

    steps: int = 300
    minutes: float | None = None
    batch: int = 4
    blocks: int = 3
    """Blocks of a window that are judged; the teacher's number."""
    lead_blocks: int = 0
    """Blocks that the generator makes before them, without being judged by them: what it is judged
    by then has a full window of its own past, as in a long stream."""
    learning_rate: float = 1e-4
    """Learning rate of the generator; AdamW trains all its parameters."""
    fake_learning_rate: float = 4e-5
    fake_updates: int = 5
    fake_rollouts: int | None = None
    """The number of these updates that roll out new windows; the others take the same ones in turn
    at other noise levels. Rolling out is most of a step's time. None: all."""
    fake_first: int = 0
    """Steps at the beginning in which only the fake score learns: until it knows the generator, the
    difference of the scores is noise."""
    exit_weights: tuple[float, ...] | None = None
    """Share of each step as the exit, noisiest first; None: all alike, as in the papers. Along the
    velocity an early estimate moves the window little, and is never shown."""
    score_draws: int = 1
    """Noise levels at which the scores are compared in one step; the gradient is their mean."""
    warmup: int = 10
    audio_guidance: float = 2.0
    text_guidance: float = 2.0
    """Guidance of the real score."""
    guidance: Literal["separate", "joint"] = "separate"
    """`separate`: of sound and text apart; `joint`: of both at once, as in the public model's own
    sampler: half the evaluations, and one scale."""
    negative_prompt: str = EMPTY_PROMPT
    """The prompt that guidance leads away from."""
    normalise: bool = True
    """Divide the gradient by the distance from the real estimate, as DMD does."""
    noise: ScoreNoise = field(default_factory=ScoreNoise)
    history_corrupt: bool = True
    history_noise: float = 0.0
    """Only with `history_corrupt`."""
    adaptive_sink: bool = True
    transition: Transition = "fresh"
    block_by_block: bool = False
    """Algorithm 2: one block's graph is alive at a time. Less memory, the same gradient."""
    matching_weight: float = 1.0
    """Weight of the difference of the scores; 0: no scores are needed, and none are trained."""
    truth_weight: float = 0.0
    """Weight of the rollout's distance from the clip that it was made for, normalised as the
    matching is. Not in the papers, and no use where a sound can be shown in many ways; in the tiny
    world it teaches a step to mend what the steps before it have spoilt."""
    regression_weight: float = 0.0
    """Weight of plain flow matching on data beside the matching loss. Not in the papers: a tiny
    model with few data may drift from the world otherwise."""
    mouth_weight: float = 6.0
    motion_weight: float = 3.0
    """Cell weights of what is compared with data."""
    fake_mouth_weight: float = 1.0
    """Cell weight of the fake score's loss, as the teacher's was. No weight of what moves: by it a
    score learns more motion than there is, and the difference of two such scores means nothing."""
    reword_share: float = 0.0
    """Share of windows whose prompts are said in other words than the clip's (`FlowOptions`)."""
    average_decay: float = 0.99
    lora: LowRank | None = None
    """Train low-rank adapters of both moving models instead of all their weights."""
    compile: bool = True
    recompute: bool = False
    """Keep only what enters each layer, and compute the layer again in the backward pass: a third
    more work, and the memory of one layer instead of all."""
    sample_every: int = 50
    """Steps between exports with a sample strip; 0: one export at the end."""
    keep_exports: bool = False
    """Keep these exports, too, in `exports/STEP`: the last one need not be the best."""
    seed: int = 0

    def __post_init__(self) -> None:
        rollouts = self.fake_rollouts
        if rollouts is not None and not 1 <= rollouts <= max(1, self.fake_updates):
            raise ValueError(
                f"fake_rollouts must be 1..{self.fake_updates} (fake_updates), got {rollouts}"
            )
        if self.history_noise and not self.history_corrupt:
            raise ValueError(
                f"history_noise is {self.history_noise} without history_corrupt, whose history"
                " alone it is added to"
            )
        _guidance_of(self)
        weights = self.exit_weights
        if weights is not None and (min(weights) < 0.0 or not sum(weights) > 0.0):
            raise ValueError(f"exit_weights must be 0 or more, and not all 0, got {weights}")

    @property
    def updates_of_fake(self) -> int:
        """`fake_updates`; none where the scores do not count."""
        return self.fake_updates if self.matching_weight else 0


class Made(NamedTuple):
    """Windows that the generator has made."""

    batch: WindowBatch
    """Conditions that the windows were made under; only the judged blocks."""
    rollout: Rollout
    """Noise levels of the judged blocks."""


class Distillation:
    """The three models and the updates of two of them."""

    def __init__(
        self, options: DistillTraining, *, teacher: Path, student: Path, sigmas: Sequence[float],
        workers: Workers | None = None, published: Published | None = None,
    ) -> None:  # fmt: skip
        """teacher, student: exports; with `published` either may be its folder."""
        self.options = options
        self.workers = workers or Workers()
        self.rolling = SelfForcing(
            tuple(sigmas), options.history_corrupt, options.history_noise, options.adaptive_sink,
            options.transition,
        )  # fmt: skip

        def loaded(export: Path, adapters: LowRank | None = None) -> TalkingModel:
            return TalkingModel.load(export, adapters=adapters, published=published)

        # one after the other: none is whole in memory while the next is loaded
        self.generator = loaded(student, options.lora).settle(self.workers)
        self.real = loaded(teacher).requires_grad_(False).settle(self.workers)
        self.fake = loaded(teacher, options.lora).settle(self.workers)
        self.config = self.generator.dit.config
        weights = options.exit_weights
        if weights is not None and len(weights) != self.rolling.steps:
            raise ValueError(
                f"exit_weights: expected {self.rolling.steps}, one a step, got {len(weights)}"
            )
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
        self._guidance = _guidance_of(options)

    def compile(self, backend: str = "inductor") -> None:
        """Compile the layers of all three; they share the compiled code."""
        for model in (self.generator, self.real, self.fake):
            model.dit.compile_training(backend)

    def recompute(self) -> None:
        """Keep less for the gradients of both models that move (`WanS2V.recompute_training`)."""
        for model in (self.generator, self.fake):
            model.dit.recompute_training()

    def state(self) -> dict[str, object]:
        """The state that a checkpoint of the run holds."""
        return {
            "generator": TrainedParameters(self.generator),
            "fake": TrainedParameters(self.fake),
            "optimizers": self.optimizers,
            "fake_optimizers": self.fake_optimizers,
            "average": self.average,
        }

    def make(self, batch: WindowBatch, rng: np.random.Generator, noise: Noise) -> Made:
        """Windows that the generator makes from a batch."""
        exit_step = int(self._exits(rng, 1)[0])
        conditions = _conditions(self.generator, batch)
        with self.workers.mixed_precision():
            rollout = roll_out(
                self.generator.dit, conditions, tuple(batch.latents.shape), self.rolling, exit_step,
                noise,
            )  # fmt: skip
        return Made(batch.last(self.options.blocks), rollout.last(self.options.blocks))

    def update_fake(
        self, made: Made, rng: np.random.Generator, noise: Noise, scale: float
    ) -> dict[str, float]:
        """One flow-matching update of the fake score on windows that leave at any exit."""
        batch, rollout = made
        exits = self.workers.rows(torch.from_numpy(self._exits(rng, self.options.batch)))
        rows = torch.arange(len(exits))
        clean = rollout.estimates[exits.to(rollout.estimates.device), rows]
        with self.workers.mixed_precision():
            sigma = self.workers.rows(self.options.noise.draw(rng, self.options.batch))
            eps = noise(clean.shape)
            conditions = _conditions(self.fake, batch)
            velocity = whole_velocity(self.fake.dit, noised(clean, eps, sigma), sigma, conditions)
        weight = cell_weight(batch, self.options.fake_mouth_weight, 1.0)
        weight = weight * level_weight(sigma, self.fake.dit.config.prediction)
        loss, _, _ = flow_matching_loss(
            velocity.float(), eps - clean, batch.mouth, weight, self.workers
        )
        loss.backward()
        norm = self.fake_optimizers.clip(1.0)
        self.fake_optimizers.step(scale)
        return {"fake": loss.item(), "fake_grad": norm.item()}

    def update_generator(
        self, made: Made, rng: np.random.Generator, noise: Noise, scale: float
    ) -> dict[str, float]:
        """One update of the generator along the difference of the scores (Algorithm 1 or 2). Uses
        the rollout up."""
        batch, rollout = made
        gradient = torch.zeros_like(rollout.clean)
        figures: dict[str, float] = {}
        if self.options.matching_weight:
            matching, figures = self._match(made, rng, noise)
            gradient += self.options.matching_weight * matching
        if self.options.truth_weight:
            weight = cell_weight(batch, self.options.mouth_weight, self.options.motion_weight)
            towards, figures["from_truth"] = truth_gradient(rollout.clean, batch.latents, weight)
            gradient += self.options.truth_weight * towards
        send = backward_by_block if self.options.block_by_block else backward
        with self.workers.mixed_precision():
            send(self.generator.dit, _conditions(self.generator, batch), rollout, gradient)
        if self.options.regression_weight:
            figures["regression"] = self._regress(batch, rng, noise)
        figures["grad"] = self.optimizers.clip(1.0).item()
        self.optimizers.step(scale)
        return figures

    def _match(
        self, made: Made, rng: np.random.Generator, noise: Noise
    ) -> tuple[Tensor, dict[str, float]]:
        """The gradient between the scores, and what to watch of it."""
        batch, clean = made.batch, made.rollout.clean
        compared = []
        for _ in range(self.options.score_draws):
            sigma = self.workers.rows(self.options.noise.draw(rng, self.options.batch))
            with self.workers.mixed_precision():
                compared.append(
                    compare_scores(
                        clean, sigma, noise(clean.shape), real=self.real.dit,
                        fake=self.fake.dit, real_conditions=self._real_conditions(batch),
                        fake_conditions=_conditions(self.fake, batch), guidance=self._guidance,
                        normalise=self.options.normalise,
                    )
                )  # fmt: skip
        gradient = torch.stack([one.gradient for one in compared]).mean(dim=0)
        moving = batch.motion * (batch.latents - clean)
        agreement = torch.cosine_similarity(-gradient.flatten(1), moving.flatten(1), dim=1).mean()
        distance = float(np.mean([one.distance for one in compared]))
        return gradient, {"distance": distance, "towards_truth": agreement.item()}

    def _real_conditions(self, batch: WindowBatch) -> Conditions:
        return _conditions(self.real, batch, away_from=self.options.negative_prompt)

    def _exits(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """int64 [count]: steps at which windows leave."""
        weights = self.options.exit_weights
        shares = None if weights is None else np.asarray(weights) / np.sum(weights)
        return rng.choice(self.rolling.steps, count, p=shares)

    def _regress(self, batch: WindowBatch, rng: np.random.Generator, noise: Noise) -> float:
        """Gradient of plain flow matching on the batch's data; see `regression_weight`."""
        levels = self.rolling.sigmas[:-1]
        shape = (self.options.batch, self.options.blocks)
        sigma = self.workers.rows(draw_sigmas(rng, shape, levels, 1.0))
        eps = noise(batch.latents.shape)
        with self.workers.mixed_precision():
            velocity = self.generator(batch, noised(batch.latents, eps, sigma), sigma)
        weight = cell_weight(batch, self.options.mouth_weight, self.options.motion_weight)
        weight = weight * level_weight(sigma, self.config.prediction)
        loss, _, _ = flow_matching_loss(
            velocity.float(), eps - batch.latents, batch.mouth, weight, self.workers
        )
        (self.options.regression_weight * loss).backward()
        return loss.item()


def _guidance_of(options: DistillTraining) -> Guidance:
    """Raises ValueError: a joint one with two scales."""
    scales = (options.audio_guidance, options.text_guidance)
    return Guidance(*scales, joint=options.guidance == "joint")


def _conditions(
    model: TalkingModel, batch: WindowBatch, *, away_from: str = EMPTY_PROMPT
) -> Conditions:
    """away_from: the prompt of `Conditions.without_text`."""
    return batch.conditions(model.states([*batch.prompts, away_from]))


def train_distill(
    options: DistillTraining, *, clips: Path, folder: Path, teacher: Path, student: Path,
    sigmas: Sequence[float], vae: Path, resume: bool, published: Published | None = None,
) -> None:  # fmt: skip
    """Distil `teacher` (an export) into the model that begins as `student` (an export).

    published: where both began; either may be its folder.
    Leaves the averaged generator in `folder/export`, sample strips, and lip-sync among the curves.
    """
    torch.manual_seed(options.seed)
    work = Distillation(
        options, teacher=teacher, student=student, sigmas=sigmas, published=published
    )
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
    if options.recompute:
        work.recompute()
    data = EncodedClips(clips, "train", reword_share=options.reword_share)
    length = options.lead_blocks + options.blocks
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        noise = Noise(options.seed * 1_000_003 + step, work.workers)
        scale = learning_rate_scale(step, run.fraction, options.warmup)
        made: list[Made] = []
        figures: dict[str, float] = {}
        for update in range(options.updates_of_fake):
            if options.fake_rollouts is None:
                made.clear()  # its history is large
            if update < (options.fake_rollouts or options.updates_of_fake):
                batch = data.batch(rng, options.batch, length)
                made.append(work.make(work.workers.share(batch), rng, noise))
            figures = work.update_fake(made[update % len(made)], rng, noise, scale)
        if step >= options.fake_first:
            if not made:
                batch = data.batch(rng, options.batch, length)
                made.append(work.make(work.workers.share(batch), rng, noise))
            # the generator is still the one that has made them
            figures |= work.update_generator(made[-1], rng, noise, scale)
            work.average.update(step)
        run.log(figures)
        if options.sample_every and (step + 1) % options.sample_every == 0:
            export_model(work.generator, work.average, work.config, folder / "export", work.workers)
            if options.keep_exports:
                kept = folder / "exports" / f"{step + 1:06d}"
                export_model(work.generator, work.average, work.config, kept, work.workers)
            if not run.first:
                continue
            picture = folder / "samples" / f"{step + 1:06d}.png"
            correlation = sample_export(folder / "export", vae, sigmas, picture)
            run.curve("val_aperture_corr", correlation, step + 1)
            run.picture("sample", picture, step + 1)
            print(f"step {step + 1}: aperture correlation {correlation:.3f}, {picture}", flush=True)
    export_model(work.generator, work.average, work.config, folder / "export", work.workers)
