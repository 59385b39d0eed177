"""Trains the teacher: bidirectional flow matching with guidance dropout (Live Avatar, section 4.2).

All frames of a window see each other and share one noise level, as in the published model. The
teacher is the real score of the distillation, and the many-step baseline of the evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.conditions import EMPTY_PROMPT, no_sound
from avatar_nodes.clips.flow import shifted
from avatar_nodes.clips.guidance import whole_velocity
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.export_quality import sample_teacher_export
from avatar_nodes.training.flow.train import FlowOptions, begin, train_flow
from avatar_nodes.training.transformer.published import Published
from avatar_nodes.training.transformer.talking_model import TalkingModel


@dataclass(frozen=True)
class TeacherTraining(FlowOptions):
    """Settings of the teacher stage.

    `blocks` is the length at which both scores judge the student.
    """

    shift: float = 3.0
    """Shift of the uniform noise levels."""
    audio_dropout: float = 0.1
    text_dropout: float = 0.1
    sample_steps: int = 24
    """Steps of the sample strips."""


class TeacherModel(TalkingModel):
    """Bidirectional velocity of a batch of windows."""

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """Noisy windows [B, N, C, F, h, w] at sigma [B] -> velocity of the same shape."""
        states = self.states(batch.prompts)
        return whole_velocity(self.dit, x, sigma, batch.conditions(states))


def dropped(
    batch: WindowBatch, rng: np.random.Generator, *, audio: float, text: float,
    silence: float,
) -> WindowBatch:  # fmt: skip
    """The batch without sound at the rate `audio` and without text at `text`, independently.

    Guided sampling needs velocities without each; the last prompt is the empty one.
    """
    size = batch.audio.shape[0]
    mute = torch.from_numpy(rng.random(size) < audio)
    blank = torch.from_numpy(rng.random(size) < text)
    return replace(
        batch,
        audio=torch.where(mute[:, None, None, None, None], silence, batch.audio),
        prompts=[*batch.prompts, EMPTY_PROMPT],
        prompt_index=torch.where(blank[:, None], len(batch.prompts), batch.prompt_index),
        sink_prompt=torch.where(blank, len(batch.prompts), batch.sink_prompt),
    )


@dataclass(frozen=True)
class _TeacherStage:
    options: TeacherTraining
    vae: Path
    silence: float

    def draw(self, clips: EncodedClips, rng: np.random.Generator) -> tuple[WindowBatch, Tensor]:
        options = self.options
        batch = dropped(
            clips.batch(rng, options.batch, options.blocks), rng, audio=options.audio_dropout,
            text=options.text_dropout, silence=self.silence,
        )  # fmt: skip
        uniform = shifted(rng.uniform(0.0, 1.0, options.batch), options.shift)
        return batch, torch.from_numpy(uniform).float()

    def sample(self, export: Path, picture: Path) -> float:
        return sample_teacher_export(
            export, self.vae, picture, blocks=self.options.blocks, steps=self.options.sample_steps,
            shift=self.options.shift,
        )  # fmt: skip


def train_teacher(
    options: TeacherTraining, *, config: DiTConfig, clips: Path, folder: Path, vae: Path,
    resume: bool, text: Path | None = None, start: Path | None = None,
    published: Published | None = None,
) -> None:  # fmt: skip
    """Train; samples are windows of a validation clip, made in many steps.

    text: a pre-trained text encoder's folder, then frozen. start: the export to begin from.
    published: see `train_causal`.
    """
    workers = begin(options.seed)
    model = TeacherModel.build(config, text=text, start=start, published=published).settle(workers)
    train_flow(
        options, model, _TeacherStage(options, vae, no_sound(config)), workers=workers,
        config=config, clips=clips, folder=folder, resume=resume,
    )  # fmt: skip
