"""The bidirectional view of a window: its conditions, guidance and their dropout."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.model.audio_encoder import CONTEXT_COLUMNS
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.training.encoded import FLOOR, WindowBatch
from avatar_nodes.training.flow_matching import per_window

EMPTY_PROMPT = ""
"""What stands for no text."""


@dataclass(frozen=True)
class Conditions:
    """What B windows of N blocks are generated from, but for noise."""

    audio: Tensor
    """float32 [B, N, layers, D, 17]: of each block 5 columns of context and 12 of its own."""
    states: Tensor
    """[P, len, text_dim]: a table of prompts; its last row is the empty prompt."""
    prompt_index: Tensor
    """int64 [B, N] into `states`."""
    sink: Tensor
    """float32 [B, C, 1, h, w]."""
    sink_prompt: Tensor
    """int64 [B] into `states`: what the sink is read under."""

    @staticmethod
    def of(batch: WindowBatch, states: Tensor) -> Conditions:
        """Those of a batch, whose prompts `states` are a table of."""
        return Conditions(batch.audio, states, batch.prompt_index, batch.sink, batch.sink_prompt)

    def without_audio(self, silence: float) -> Conditions:
        """The same without sound: every audio column is `silence`, see `no_sound`."""
        return replace(self, audio=torch.full_like(self.audio, silence))

    def without_text(self) -> Conditions:
        """The same with the empty prompt."""
        last = self.states.shape[0] - 1
        return replace(
            self,
            prompt_index=torch.full_like(self.prompt_index, last),
            sink_prompt=torch.full_like(self.sink_prompt, last),
        )


def no_sound(config: DiTConfig) -> float:
    """The value of audio columns that stands for no sound given.

    Of mel columns one below their floor: at the floor they are silence, in which the mouth is
    closed. Hidden states are 0, as in the published sampler.
    """
    return FLOOR - 1.0 if config.num_audio_layers == 1 else 0.0


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
class Guidance:
    """How far to go beyond the conditional velocity, for each condition; 1 is not at all."""

    audio: float = 1.0
    text: float = 1.0


def whole_velocity(dit: WanS2V, x: Tensor, sigma: Tensor, conditions: Conditions) -> Tensor:
    """Velocity [B, N, C, 3, h, w] of windows x at sigma [B], every frame seeing every other."""
    blocks = x.shape[1]
    context = conditions.audio[:, 0, ..., :CONTEXT_COLUMNS]
    own = conditions.audio[..., CONTEXT_COLUMNS:].movedim(1, 3).flatten(3)
    velocity = dit(
        x.transpose(1, 2).flatten(2, 3), 1000.0 * sigma, conditions.states, conditions.sink,
        torch.cat([context, own], dim=-1), prompt_index=conditions.prompt_index,
        sink_prompt_index=conditions.sink_prompt,
    )  # fmt: skip
    return velocity.unflatten(2, (blocks, -1)).transpose(1, 2)


def guided_velocity(
    dit: WanS2V, x: Tensor, sigma: Tensor, conditions: Conditions, guidance: Guidance
) -> Tensor:
    """`whole_velocity`, each condition strengthened: v + (g - 1) (v - v without it).

    A guidance of 1 costs nothing, every other one more evaluation.
    """
    full = whole_velocity(dit, x, sigma, conditions)
    result = full
    if guidance.audio != 1.0:
        mute = whole_velocity(dit, x, sigma, conditions.without_audio(no_sound(dit.config)))
        result = result + (guidance.audio - 1.0) * (full - mute)
    if guidance.text != 1.0:
        blank = whole_velocity(dit, x, sigma, conditions.without_text())
        result = result + (guidance.text - 1.0) * (full - blank)
    return result


def clean_estimate(x: Tensor, velocity: Tensor, sigma: Tensor) -> Tensor:
    """The clean windows that a velocity at sigma [B] or [B, N] points to: x - sigma v."""
    return x - per_window(sigma) * velocity
