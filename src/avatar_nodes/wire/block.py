"""Turns what travels with a block into messages and back: `block/block.py` <-> avatar_msgs.

What reads a message raises RefusedError where a number is none that can be (`wire/limits.py`) or a
tensor is not as expected (`tensor_from_msg`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from avatar_msgs import msg as m
from avatar_nodes.block.block import (
    BlockConditioning,
    BlockContext,
    BlockLatent,
    EpochStart,
    Prompt,
    Sink,
)
from avatar_nodes.conducting.block_ledger import IssuedBlock
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.limits import (
    block_number,
    check_epoch_numbers,
    epoch_number,
    sample_index,
    text_of,
)
from avatar_nodes.wire.tensor import tensor_from_msg, tensor_to_msg

_LATENT = (None, None, None, None)
_FEATURES = (None, None, None)
_MAX_CONTEXT = 64


def prompt_to_msg(prompt: Prompt, *, expected_block: int | None = None) -> m.Prompt:
    """A prompt with its states; expected_block: the block that is expected to switch to it."""
    return m.Prompt(
        id=prompt.id, text=prompt.text, states=tensor_to_msg(prompt.states),
        expected=expected_block is not None, expected_block=expected_block or 0,
    )  # fmt: skip


def prompt_from_msg(msg: m.Prompt) -> Prompt:
    """Raises RefusedError."""
    block_number(msg.expected_block)
    states = tensor_from_msg(msg.states, shape=(None, None), dtype=torch.float32)
    return Prompt(id=text_of(msg.id), text=text_of(msg.text), states=states)


def sink_to_msg(sink: Sink) -> m.SinkFrame:
    """A sink with its latent, and with the reference picture where it has one."""
    msg = m.SinkFrame(
        version=sink.version,
        epoch=sink.epoch,
        prompt_id=sink.prompt_id,
        latent=tensor_to_msg(sink.latent),
    )
    if sink.picture is not None:
        msg.picture_height, msg.picture_width, _ = sink.picture.shape
        msg.picture.frombytes(np.ascontiguousarray(sink.picture).data.cast("B"))
    return msg


def sink_from_msg(
    msg: m.SinkFrame, *, shape: Sequence[int | None] = _LATENT, size: tuple[int, int] | None = None
) -> Sink:
    """`shape`: of its latent; `size`: width and height of its picture, where it has one. Raises
    RefusedError; `version`: there are 0 and 1; `picture`: its size is not that of its bytes, or not
    the one expected."""
    if msg.version > 1:
        raise RefusedError("version", f"sink version {msg.version}, expected 0 or 1")
    latent = tensor_from_msg(msg.latent, shape=shape, dtype=torch.float32)
    picture = None
    if len(msg.picture):
        sides = (msg.picture_height, msg.picture_width, 3)
        expected = size is None or (sides[1], sides[0]) == size
        if len(msg.picture) != math.prod(sides) or not expected:
            raise RefusedError("picture", f"{len(msg.picture)} bytes for a picture {list(sides)}")
        picture = np.frombuffer(msg.picture, np.uint8).reshape(sides)
    return Sink(
        version=msg.version, latent=latent, prompt_id=text_of(msg.prompt_id),
        epoch=epoch_number(msg.epoch), picture=picture,
    )  # fmt: skip


def latent_to_msg(block: BlockLatent, *, sigma: float) -> m.LatentBlock:
    """A block between stages; `sigma` is its noise level. Header left empty."""
    return m.LatentBlock(
        epoch=block.epoch,
        block=block.block,
        step=block.step,
        sigma=sigma,
        latent=tensor_to_msg(block.latent),
    )


def latent_from_msg(msg: m.LatentBlock, *, shape: Sequence[int | None] = _LATENT) -> BlockLatent:
    """`shape`: of its latent. Raises RefusedError; `sigma`: no number between 0 and 1."""
    if not 0.0 <= msg.sigma <= 1.0:
        raise RefusedError("sigma", f"noise level {msg.sigma}, expected 0 to 1")
    latent = tensor_from_msg(msg.latent, shape=shape, dtype=torch.float32)
    return BlockLatent(
        epoch=epoch_number(msg.epoch), block=block_number(msg.block), step=msg.step, latent=latent
    )


def conditioning_to_msg(
    issued: IssuedBlock, *, epoch: int, seed: int, sink_version: int, sample_rate: int,
    memory_version: int = 0,
) -> m.BlockConditioning:  # fmt: skip
    """What is decided about a block, with its sound. Header left empty: as fast as it can be."""
    return m.BlockConditioning(
        epoch=epoch,
        block=issued.block,
        seed=seed,
        prompt_id=issued.prompt_id,
        sink_version=sink_version,
        memory_version=memory_version,
        cache_switch=issued.cache_switch,
        features=tensor_to_msg(issued.features),
        sound=audio_to_msg(
            issued.samples,
            stream=issued.stream,
            sample_rate=sample_rate,
            first_sample=issued.first_sample,
            end_of_stream=issued.last,
        ),
        next_sample=issued.next_sample,
    )


def conditioning_from_msg(msg: m.BlockConditioning) -> BlockConditioning:
    """What the model needs of it, without the sound. Raises RefusedError."""
    return BlockConditioning(
        epoch=epoch_number(msg.epoch),
        block=block_number(msg.block),
        audio=tensor_from_msg(msg.features, shape=_FEATURES, dtype=torch.float32),
        prompt_id=msg.prompt_id,
        sink_version=msg.sink_version,
        seed=msg.seed,
        cache_switch=msg.cache_switch,
        memory_version=msg.memory_version,
    )


def issued_from_msg(
    msg: m.BlockConditioning, *, sample_rate: int, shape: Sequence[int | None] = _FEATURES
) -> IssuedBlock:
    """What the one who issued it knows of the block; `shape`: of its features. Raises
    RefusedError."""
    return IssuedBlock(
        block=block_number(msg.block),
        prompt_id=text_of(msg.prompt_id),
        features=tensor_from_msg(msg.features, shape=shape, dtype=torch.float32),
        samples=audio_from_msg(msg.sound, sample_rate=sample_rate, channels=1),
        stream=msg.sound.stream,
        first_sample=msg.sound.first_sample,
        next_sample=sample_index(msg.next_sample),
        last=msg.sound.end_of_stream,
        cache_switch=msg.cache_switch,
    )


def epoch_to_msg(start: EpochStart) -> m.EpochStart:
    """The beginning of an epoch. Header left empty."""
    context = [
        m.BlockContext(
            block=past.block,
            prompt_id=past.prompt_id,
            features=tensor_to_msg(past.audio),
            latent=tensor_to_msg(past.latent),
        )
        for past in start.context
    ]
    return m.EpochStart(
        epoch=start.epoch,
        first_block=start.first_block,
        stream_start=start.stream_start,
        seed=start.seed,
        sink=m.SinkFrame() if start.sink is None else sink_to_msg(start.sink),
        prompts=[prompt_to_msg(prompt) for prompt in start.prompts],
        context=context,
    )


def epoch_from_msg(msg: m.EpochStart) -> EpochStart:
    """Raises RefusedError; `order`: a first block before the stream's."""
    check_epoch_numbers(msg)
    if len(msg.context) > _MAX_CONTEXT or len(msg.prompts) > _MAX_CONTEXT:
        raise RefusedError("size", f"{len(msg.context)} context blocks, {len(msg.prompts)} prompts")
    return EpochStart(
        epoch=msg.epoch,
        first_block=msg.first_block,
        seed=msg.seed,
        sink=sink_from_msg(msg.sink) if len(msg.sink.latent.data) else None,
        prompts=tuple(prompt_from_msg(prompt) for prompt in msg.prompts),
        context=tuple(_context_from_msg(past) for past in msg.context),
        stream_start=msg.stream_start,
    )


def _context_from_msg(msg: m.BlockContext) -> BlockContext:
    return BlockContext(
        block=block_number(msg.block),
        prompt_id=msg.prompt_id,
        audio=tensor_from_msg(msg.features, shape=_FEATURES, dtype=torch.float32),
        latent=tensor_from_msg(msg.latent, shape=_LATENT, dtype=torch.float32),
    )
