"""Trains the teacher: bidirectional flow matching with guidance dropout (Live Avatar, section 4.2).

All frames of a window see each other and share one noise level, as in the published model. The
teacher is the real score of the distillation, and the many-step baseline of the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.distributed import Workers
from avatar_nodes.training.encoded import EncodedClips, WindowBatch
from avatar_nodes.training.flow_matching import cell_weight, flow_matching_loss, noised, shifted
from avatar_nodes.training.guidance import Conditions, dropped, whole_velocity
from avatar_nodes.training.noise import Noise
from avatar_nodes.training.optimizers import Optimizers, learning_rate_scale
from avatar_nodes.training.parameter_average import ParameterAverage
from avatar_nodes.training.run import TrainingRun
from avatar_nodes.training.samples import sample_teacher_export
from avatar_nodes.training.talking_model import TalkingModel, export_model


@dataclass(frozen=True)
class TeacherTraining:
    """How to train the bidirectional teacher."""

    steps: int = 2500
    minutes: float | None = None
    batch: int = 8
    blocks: int = 3
    """Blocks of a window: the length at which both scores judge the student."""
    learning_rate: float = 1.5e-3
    matrix_learning_rate: float | None = 0.02
    """For the hidden matrices, which Muon updates; null: AdamW updates them, too."""
    warmup: int = 150
    shift: float = 3.0
    """Shift of the uniform noise levels."""
    audio_dropout: float = 0.1
    text_dropout: float = 0.1
    mouth_weight: float = 6.0
    motion_weight: float = 3.0
    average_decay: float = 0.9985
    compile: bool = True
    sample_every: int = 500
    sample_steps: int = 24
    """Steps of the sample strips."""
    seed: int = 0


class TeacherModel(TalkingModel):
    """Bidirectional velocity of a batch of windows."""

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """Noisy windows [B, N, C, 3, h, w] at sigma [B] -> velocity of the same shape."""
        states = self.states(batch.prompts)
        conditions = Conditions(batch.audio, states, batch.prompt_index, batch.sink)
        return whole_velocity(self.dit, x, sigma, conditions)


def train_teacher(
    options: TeacherTraining, *, config: DiTConfig, clips: Path, folder: Path, vae: Path,
    resume: bool, text: Path | None = None, start: Path | None = None,
) -> None:  # fmt: skip
    """Train; every `sample_every` steps export the averaged weights to `folder/export` and sample a
    validation clip from them: a picture in `folder/samples`, its lip-sync among the curves.

    text: a pre-trained text encoder's folder, then frozen. start: the export to begin from.
    """
    torch.manual_seed(options.seed)
    workers = Workers()
    model = TeacherModel.build(config, text=text, start=start).settle(workers)
    optimizers = Optimizers(
        model,
        learning_rate=options.learning_rate,
        matrix_learning_rate=options.matrix_learning_rate,
    )
    average = ParameterAverage(model, decay=options.average_decay, trainable_only=True)
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
    for step in run:
        rng = np.random.default_rng((options.seed, step))
        draw = Noise(options.seed * 1_000_003 + step, workers)
        batch = data.batch(rng, options.batch, options.blocks)
        batch = workers.share(
            dropped(batch, rng, audio=options.audio_dropout, text=options.text_dropout)
        )
        uniform = shifted(rng.uniform(0.0, 1.0, options.batch), options.shift)
        sigma = workers.rows(torch.from_numpy(uniform).float())
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
            correlation = sample_teacher_export(
                folder / "export", vae, picture, blocks=options.blocks, steps=options.sample_steps,
                shift=options.shift,
            )  # fmt: skip
            run.curve("val_aperture_corr", correlation, step + 1)
            print(f"step {step + 1}: aperture correlation {correlation:.3f}, {picture}", flush=True)
    export_model(model, average, config, folder / "export", workers)
