"""Computes velocities of whole windows, all frames seeing each other, with and without guidance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS
from avatar_nodes.clips.conditions import Conditions, no_sound
from avatar_nodes.model.dit import WanS2V


@dataclass(frozen=True)
class Guidance:
    """Guidance scale of each condition; 1 is no guidance. joint: sound and text are taken away at
    once, as Wan2.2-S2V's own sampler does; both scales are then one.
    """

    audio: float = 1.0
    text: float = 1.0
    joint: bool = False

    def __post_init__(self) -> None:
        if self.joint and self.audio != self.text:
            raise ValueError(
                f"joint guidance has one scale, got {self.audio} for audio and {self.text} for text"
            )


def whole_velocity(dit: WanS2V, x: Tensor, sigma: Tensor, conditions: Conditions) -> Tensor:
    """Velocity [B, N, C, F, h, w] of windows x at sigma [B], every frame seeing every other."""
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

    A guidance of 1 costs nothing, every other one more evaluation; a joint one costs one in all.
    """
    full = whole_velocity(dit, x, sigma, conditions)
    if guidance.joint and guidance.text != 1.0:
        neither = conditions.without_audio(no_sound(dit.config)).without_text()
        return full + (guidance.text - 1.0) * (full - whole_velocity(dit, x, sigma, neither))
    result = full
    if guidance.audio != 1.0:
        mute = whole_velocity(dit, x, sigma, conditions.without_audio(no_sound(dit.config)))
        result = result + (guidance.audio - 1.0) * (full - mute)
    if guidance.text != 1.0:
        blank = whole_velocity(dit, x, sigma, conditions.without_text())
        result = result + (guidance.text - 1.0) * (full - blank)
    return result
