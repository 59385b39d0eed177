"""Data that travels with a numbered block of a stream.

Everything that decides what the model computes rides with the block; a stage needs nothing else.
Tensors are float32 on the CPU, as they come off the wire.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt and its text states [len, text_dim]. The same id always means the same states."""

    id: str
    text: str
    states: Tensor


@dataclass(frozen=True, eq=False)
class Sink:
    """The frame that every block attends to: version 0 the reference, 1 the stream's own first
    latent.

    latent [C, 1 + m, H, W]: the frame, and where the model has motion context its m frames, oldest
    first: the reference standing still, whatever the version. prompt_id: the prompt it is seen
    under (empty: that of the first block to use it); epoch: the epoch it was made in, 0 when it
    belongs to none (the reference image); picture: the reference picture itself, uint8 RGB [height,
    width, 3] of the video's size, for a decoder that looks at it.
    """

    version: int
    latent: Tensor
    prompt_id: str = ""
    epoch: int = 0
    picture: np.ndarray | None = None


def own_sink(latent: Tensor, before: Sink | None, *, prompt_id: str, epoch: int) -> Sink:
    """The sink that a stream's first block brings: its latent's [C, F, H, W] first frame in the
    place of the reference (Adaptive Attention Sink), with the motion context and the picture of the
    sink `before`.
    """
    frame = latent[:, :1].clone()
    if before is None:
        return Sink(1, frame, prompt_id, epoch)
    whole = torch.cat([frame, before.latent[:, 1:]], dim=1)
    return Sink(1, whole, prompt_id, epoch, before.picture)


@dataclass(frozen=True, eq=False)
class Memory:
    """A version of visual memory: tokens of latent frames, float32 [frames * tokens, dim].

    version: counts the stream's blocks that it is made of, from 1. long: key frames, short: the
    last frames, both oldest first, maybe none. blocks: where each frame is from, long before short.
    """

    version: int
    epoch: int
    long: Tensor
    short: Tensor
    blocks: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class BlockConditioning:
    """All that decides block `block` of epoch `epoch`.

    audio: feature columns [layers, D, 5 + n] of its n frames and the five before them.

    cache_switch: before the block is computed, the past blocks of the window get the keys and
    values that they have under this block's prompt (Cache-Switching). memory_version: the memory
    that it attends to (0: none).
    """

    epoch: int
    block: int
    audio: Tensor
    prompt_id: str
    sink_version: int
    seed: int
    cache_switch: bool = False
    memory_version: int = 0


@dataclass(frozen=True, eq=False)
class BlockLatent:
    """A block between stages; `step`: index of the denoising step that comes next (T: clean)."""

    epoch: int
    block: int
    step: int
    latent: Tensor


@dataclass(frozen=True, eq=False)
class BlockContext:
    """A finished block, kept so that caches can be rebuilt: its clean latent [C, latents, H, W].

    prompt_id: the prompt that its keys and values are of: its own, or that of the last block behind
    it that switched the caches.
    """

    block: int
    prompt_id: str
    audio: Tensor
    latent: Tensor


@dataclass(frozen=True, eq=False)
class EpochStart:
    """Begins an epoch: the stages rebuild their caches from this alone and go on at `first_block`.

    context: the last blocks before it, oldest first, at most the window; they are rebuilt without
    memory, whose node may be what has failed. sink: what holds from the
    first block (None: it comes apart). Noise is counted from `stream_start`, the stream's very
    first block, so that a stream whose index begins at 10,000,000 is, bit for bit, the stream that
    begins at 0.
    """

    epoch: int
    first_block: int
    seed: int
    sink: Sink | None
    prompts: tuple[Prompt, ...] = ()
    context: tuple[BlockContext, ...] = ()
    stream_start: int = 0
