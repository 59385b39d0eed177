"""Leads a pipeline through a clip of the tiny world, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from avatar_nodes.block.block import Prompt
from avatar_nodes.pipeline.pipeline import Pipeline
from avatar_nodes.world.clips import Clip


class Prompts(Protocol):
    """Turns a prompt's text into the states that the stages attend to."""

    def encode(self, text: str) -> Prompt:
        """The same text always gives the same id and states."""
        ...


def clip_stream(
    pipeline: Pipeline, prompts: Prompts, clip: Clip, *, seed: int,
    lines: Sequence[str] | None = None,
) -> Iterator[np.ndarray]:  # fmt: skip
    """Yields the sound of each block, int16 [n], when the pipeline is ready to make it.

    The stream begins with the clip's person. lines: a prompt for each block to be made; where None
    the clip's own ones. The caller renders or denoises a block before it asks for the next.
    """
    wanted = clip.prompts if lines is None else lines
    samples = np.round(clip.sound * 32767.0).astype(np.int16).reshape(clip.spec.blocks, -1)
    current: str | None = None
    for line, sound in zip(wanted, samples, strict=False):
        if current is None:
            pipeline.start(clip.reference(), prompts.encode(line), seed=seed)
        elif line != current:
            pipeline.set_prompt(prompts.encode(line))
        current = line
        yield sound
