"""A stage's first blocks, made before there is a stream: the compiler and the GPU's libraries have
then done what they do only once for each shape."""

from __future__ import annotations

import torch

from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.streaming.block import BlockConditioning, EpochStart, Prompt, Sink
from avatar_nodes.streaming.stage import Stage

_PROMPT = "warm up"


def warm_up(stage: Stage, config: DiTConfig, past_blocks: int) -> None:
    """Runs a stream of zeros through the stage until its window is full, twice: the second time
    all shapes are known. The stage then waits for an epoch, as before.
    """
    channels, _, height, width = stage.latent_shape
    prompt = Prompt(_PROMPT, "", torch.zeros(1, config.text_dim))
    sink = Sink(0, torch.zeros(channels, 1, height, width), _PROMPT)
    latent = None if stage.makes_noise else torch.zeros(stage.latent_shape)
    for epoch in (1, 2):
        stage.start_epoch(EpochStart(epoch, 0, 0, sink, (prompt,)))
        for block in range(past_blocks + 1):
            audio = torch.zeros(stage.audio_shape)
            conditioning = BlockConditioning(
                epoch, block, audio, _PROMPT, 0, 0, cache_switch=block == past_blocks > 0
            )
            stage.process(conditioning, latent)
    stage.forget()
