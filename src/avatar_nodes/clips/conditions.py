"""Conditions that windows of a clip are generated under: sound, prompts, sink."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.audio_features import CONTEXT_COLUMNS, MelFeatures
from avatar_nodes.decoding.decoder import TinyStreamingDecoder
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.text import TextEncoder
from avatar_nodes.world.clips import Clip

EMPTY_PROMPT = ""
"""The prompt that stands for no text."""


@dataclass(frozen=True)
class Conditions:
    """Everything that B windows of N blocks are generated from, except noise."""

    audio: Tensor
    """float32 [B, N, layers, D, 5 + n]: of each block 5 columns of context and n of its own."""
    states: Tensor
    """[P, len, text_dim]: a table of prompts; its last row is the empty prompt, or the one that
    guidance leads away from."""
    prompt_index: Tensor
    """int64 [B, N] into `states`."""
    sink: Tensor
    """float32 [B, C, 1, h, w]."""
    sink_prompt: Tensor
    """int64 [B] into `states`: what the sink is read under."""

    def without_audio(self, silence: float) -> Conditions:
        """The same without sound: every audio column is `silence`, see `no_sound`."""
        return replace(self, audio=torch.full_like(self.audio, silence))

    def without_text(self) -> Conditions:
        """The same with the last prompt of the table."""
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
    return MelFeatures.floor - 1.0 if config.num_audio_layers == 1 else 0.0


@torch.no_grad()
def clip_conditions(clip: Clip, text: TextEncoder, decoder: TinyStreamingDecoder) -> Conditions:
    """Conditions of a whole clip of the tiny world, as a batch of one window."""
    features = MelFeatures(clip.spec.timing)
    sound = np.concatenate([np.zeros(features.context_samples, np.float32), clip.sound])
    columns = features.columns(sound)
    size = clip.spec.timing.frames_per_block
    starts = [block * size for block in range(clip.spec.blocks)]
    wordings = list(dict.fromkeys(clip.prompts))
    return Conditions(
        audio=torch.stack([columns[..., s : s + size + CONTEXT_COLUMNS] for s in starts])[None],
        states=text.encode_batch([*wordings, EMPTY_PROMPT]).float(),
        prompt_index=torch.tensor([[wordings.index(line) for line in clip.prompts]]),
        sink=decoder.encode_reference(clip.reference())[None],
        sink_prompt=torch.zeros(1, dtype=torch.long),
    )
