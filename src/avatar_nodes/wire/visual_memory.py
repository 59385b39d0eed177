"""Visual memory: avatar_msgs/MemoryTokens <-> `avatar_nodes.block.block.Memory`."""

from __future__ import annotations

import torch

from avatar_msgs import msg as m
from avatar_nodes.block.block import Memory
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.limits import block_number, epoch_number
from avatar_nodes.wire.tensor import tensor_from_msg, tensor_to_msg

_TOKENS = (None, None)
_MOST_FRAMES = 1024


def memory_to_msg(memory: Memory) -> m.MemoryTokens:
    """A version of memory. Header left empty."""
    return m.MemoryTokens(
        epoch=memory.epoch,
        version=memory.version,
        blocks=list(memory.blocks),
        short_tokens=tensor_to_msg(memory.short),
        long_tokens=tensor_to_msg(memory.long),
    )


def memory_from_msg(msg: m.MemoryTokens) -> Memory:
    """Raises RefusedError: see `tensor_from_msg`; `size`, `epoch`, `block`."""
    if len(msg.blocks) > _MOST_FRAMES:
        raise RefusedError("size", f"memory of {len(msg.blocks)} frames, at most {_MOST_FRAMES}")
    return Memory(
        version=msg.version,
        epoch=epoch_number(msg.epoch),
        long=tensor_from_msg(msg.long_tokens, shape=_TOKENS, dtype=torch.float32),
        short=tensor_from_msg(msg.short_tokens, shape=_TOKENS, dtype=torch.float32),
        blocks=tuple(block_number(block) for block in msg.blocks),
    )
