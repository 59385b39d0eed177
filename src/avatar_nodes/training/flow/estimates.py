"""Denoises blocks whose truth is known, as the stream does: latents that a decoder has to show."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.clips.flow import noised
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.loop.noise import Noise
from avatar_nodes.training.transformer.talking_model import TalkingModel

_AT_ONCE = 16


@torch.inference_mode()
def estimated_blocks(
    model: TalkingModel, clips: EncodedClips, chosen: Sequence[tuple[int, int]], *,
    sigmas: Sequence[float], seed: int,
) -> Tensor:  # fmt: skip
    """The `chosen` (clip, block), noised to a level that inference visits and denoised again.

    The steps that follow the level are the stream's. The first level is left out where there are
    others: it keeps nothing of the truth. A block sees the one before it, if any, as noisy.
    Returns float16 [len(chosen), C, 3, h, w].
    """
    steps, made = len(sigmas) - 1, []
    for begin in range(0, len(chosen), _AT_ONCE):
        some = chosen[begin : begin + _AT_ONCE]
        rng = np.random.default_rng((seed, begin))
        noise = Noise(seed * 1_000_003 + begin)
        levels = sigmas[int(rng.integers(min(1, steps - 1), steps)) :]
        starts = [(clip, max(0, block - 1)) for clip, block in some]
        blocks = min(2, *(len(clips.prompts[clip]) for clip, _ in some))
        window = clips.windows(rng, starts, blocks, gain_db=0.0)
        x = _denoised(model, window, levels, noise(window.latents.shape))
        where = [block - first for (_, block), (_, first) in zip(some, starts, strict=True)]
        made.append(x[torch.arange(len(some)), torch.tensor(where)].half())
        if begin // _AT_ONCE % 20 == 0:
            print(f"estimates {begin + len(some)}/{len(chosen)}", flush=True)
    return torch.cat(made)


def _denoised(
    model: TalkingModel, window: WindowBatch, levels: Sequence[float], noise: Tensor
) -> Tensor:
    """Windows [B, N, C, F, h, w] at the first of `levels`, stepped down to the last, 0."""

    def at(level: float) -> Tensor:
        return torch.full(window.latents.shape[:2], level)

    x = noised(window.latents, noise, at(levels[0]))
    for level, following in pairwise(levels):
        with torch.autocast(x.device.type, torch.bfloat16):
            velocity = model(window, x, at(level)).float()
        x = x + (following - level) * velocity
    return x
