"""Visual memory comes out of its message as it went in."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("rclpy", reason="no ROS here")

from rclpy.serialization import deserialize_message, serialize_message
from support.streams import random_tensor

from avatar_msgs.msg import MemoryTokens
from avatar_nodes.block.block import Memory
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire.visual_memory import memory_from_msg, memory_to_msg


@pytest.mark.parametrize("frames", [0, 3])
def test_memory(frames: int) -> None:
    memory = Memory(
        7, 2**40, random_tensor(1, (4 * frames, 8)), random_tensor(2, (8, 8)), (5, 2**40)
    )
    msg = deserialize_message(serialize_message(memory_to_msg(memory)), MemoryTokens)
    back = memory_from_msg(msg)
    assert (back.version, back.epoch, back.blocks) == (7, 2**40, (5, 2**40))
    assert torch.equal(back.long, memory.long) and torch.equal(back.short, memory.short)


def test_malformed_memory_is_refused() -> None:
    with pytest.raises(RefusedError):
        memory_from_msg(MemoryTokens(version=1))
    broken = random_tensor(1, (4, 8))
    broken[0, 0] = float("nan")
    with pytest.raises(RefusedError) as error:
        memory_from_msg(memory_to_msg(Memory(1, 1, broken, random_tensor(2, (4, 8)))))
    assert error.value.reason == "not_finite"
