"""Where a block sees sink and motion context: a pure function of seed, block and step."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.model.causal import Places


@dataclass(frozen=True, kw_only=True)
class SeenPlaces:
    """The rule of a stage.

    farthest: the model's own distance of the sink, in latent frames before a block's first one.
    nearest: each pass draws the distance from `nearest` to `farthest` (None: it is `farthest`); a
    stream's first blocks have the sink where it stands at the stream's start, as long as that is
    farther, as in the public system. rolling: False (ablation "w/o Rolling RoPE") leaves the sink
    at the stream's start.
    """

    farthest: int
    latents_per_block: int
    nearest: int | None = None
    rolling: bool = True

    def at(self, seed: int, block: int, step: int) -> Places:
        """block: counted from the stream's start. seed and block are 0 .. 2**64 - 1."""
        passed = self.latents_per_block * block
        if not self.rolling:
            return Places(self.farthest - passed, passed)
        if self.nearest is None:
            return Places(self.farthest, passed)
        # the noise of the block counts from 0, with the same key
        bits = np.random.Philox(key=np.array([seed, block], np.uint64), counter=[0, 0, 0, 1 + step])
        drawn = np.random.Generator(bits).integers(self.nearest, self.farthest, endpoint=True)
        return Places(max(int(drawn), self.farthest - passed), passed)
