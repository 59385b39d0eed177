"""Makes endless speech for long streams: ten minutes of test sentences, over and over."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.world.clips import Clip, ClipSpec

_SEED = 97_000
_CHUNK_BLOCKS = 25


@dataclass(frozen=True)
class Said:
    """Sound and prompt of a block of the stream."""

    samples: np.ndarray
    """int16 [samples a block]."""
    prompt: str


class LongSpeech:
    """Speech of the test split, made once and repeated, as the papers do with long sounds.

    Every measured segment says the same and asks for the same (rest), so that segments differ by
    nothing but the time at which they come.
    """

    def __init__(
        self, segment_blocks: int, *, minutes: float = 10.0, seed: int = 0,
        timing: BlockTiming | None = None,
    ) -> None:  # fmt: skip
        timing = timing or BlockTiming()
        count = max(1, round(minutes * 60 / (_CHUNK_BLOCKS * timing.block_s)))
        self._blocks: list[Said] = []
        for number in range(count):
            place = _SEED + seed * 1000 + number
            spec = ClipSpec.sample(place, split="test", blocks=_CHUNK_BLOCKS, timing=timing)
            clip = Clip(spec)
            pairs = zip(_blocks_of(clip), clip.prompts, strict=True)
            self._blocks += [Said(samples, prompt) for samples, prompt in pairs]
        # The measured sentences; the person of this clip is the person of the stream.
        self.clip = list(speaking_clips(seed + 1, segment_blocks, "test", timing=timing))[seed]
        self.rest_prompt = self._rest_prompt()
        self._segment = [Said(samples, self.rest_prompt) for samples in _blocks_of(self.clip)]

    def block(self, number: int) -> Said:
        """Block `number` of the stream, outside of the segments."""
        return self._blocks[number % len(self._blocks)]

    def segment_block(self, number: int) -> Said:
        """Block `number` of every measured segment."""
        return self._segment[number]

    def _rest_prompt(self) -> str:
        spec = ClipSpec(self.clip.spec.seed, "test", 1, self.clip.spec.identity, ())
        return Clip(spec).prompts[0]


def _blocks_of(clip: Clip) -> list[np.ndarray]:
    samples = np.round(clip.sound * 32767.0).astype(np.int16)
    return list(samples.reshape(clip.spec.blocks, -1))
