"""Visual memory: avatar_msgs/MemoryTokens <-> `avatar_nodes.block.block.Memory`."""

from __future__ import annotations

import torch

from avatar_msgs import msg as m
from avatar_nodes.block.block import Memory
from avatar_nodes.wire.tensor import tensor_from_msg, tensor_to_msg

_TOKENS = (None, None)


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
    """Raises RefusedError: see `tensor_from_msg`."""
    return Memory(
        version=msg.version,
        epoch=msg.epoch,
        long=tensor_from_msg(msg.long_tokens, shape=_TOKENS, dtype=torch.float32),
        short=tensor_from_msg(msg.short_tokens, shape=_TOKENS, dtype=torch.float32),
        blocks=tuple(msg.blocks),
    )
