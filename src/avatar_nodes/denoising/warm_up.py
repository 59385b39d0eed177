"""A stage's first blocks, made before there is a stream: the compiler and the GPU's libraries have
then done what they do only once for each shape."""

from __future__ import annotations

import torch

from avatar_nodes.block.block import BlockConditioning, EpochStart, Prompt, Sink
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.model.dit_config import DiTConfig

_PROMPT = "warm up"


def warm_up(stage: Stage, config: DiTConfig, past_blocks: int, *, switches: bool = False) -> None:
    """Runs a stream of zeros through the stage until its window is full, twice: the second time
    all shapes are known. A stage that records goes on until it has recorded a full window; if
    `switches`, that of the caches which are switched ahead, too. The stage then waits for an epoch,
    as before.
    """
    stream = _Zeros(stage, config)
    for epoch in (1, 2):
        stream.begin(epoch)
        stream.run(past_blocks)
        stream.run(1, switch=past_blocks > 0)
    if stage.records:
        round_twice = 2 * max(1, past_blocks)
        stream.run(round_twice)
        if switches and past_blocks:
            stream.prepare_switch()
            stream.run(1, switch=True)
            stream.run(round_twice)
    stage.forget()


class _Zeros:
    """A stream of zeros through one stage."""

    def __init__(self, stage: Stage, config: DiTConfig) -> None:
        self._stage = stage
        self._prompt = Prompt(_PROMPT, "", torch.zeros(1, config.text_dim))
        self._sink = Sink(0, torch.zeros(stage.sink_shape), _PROMPT)
        self._latent = None if stage.makes_noise else torch.zeros(stage.latent_shape)
        self._epoch = self._block = 0

    def begin(self, epoch: int) -> None:
        self._stage.start_epoch(EpochStart(epoch, 0, 0, self._sink, (self._prompt,)))
        self._epoch, self._block = epoch, 0

    def run(self, blocks: int, *, switch: bool = False) -> None:
        for _ in range(blocks):
            audio = torch.zeros(self._stage.audio_shape)
            conditioning = BlockConditioning(
                self._epoch, self._block, audio, _PROMPT, 0, 0, cache_switch=switch
            )
            self._stage.process(conditioning, self._latent)
            self._block += 1

    def prepare_switch(self) -> None:
        self._stage.expect_switch(_PROMPT, self._block)
        self._stage.prepare()
