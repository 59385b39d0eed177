"""Numbers and texts that no message can have are refused where they are read."""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_msgs import msg as m
from avatar_msgs.action import Say
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.wire import audio, block, conversation, limits

HIGHEST = 2**64 - 1


def _sound(rate: int, count: int, first: int = 0) -> m.AudioChunk:
    data = array.array("h", bytes(2 * count))
    return m.AudioChunk(sample_rate=rate, channels=1, first_sample=first, data=data)


@pytest.mark.parametrize(
    ("read", "value", "reason"),
    [
        (limits.epoch_number, HIGHEST, "epoch"),
        (limits.epoch_number, 2_100_000_000_000 + 10**11, "epoch"),  # ms since 1970: past 2036
        (limits.block_number, HIGHEST, "block"),
        (limits.block_number, -(2**63), "block"),
        (limits.sample_index, HIGHEST, "index"),
        (limits.text_of, "x" * 10**5, "text"),
        (limits.duration_s, float("nan"), "duration"),
        (limits.duration_s, float("inf"), "duration"),
        (limits.duration_s, -1.0, "duration"),
        (audio.audio_from_msg, _sound(16000, 1, HIGHEST), "index"),
        (audio.audio_from_msg, _sound(1, 100), "rate"),
        (audio.audio_from_msg, _sound(4000, 31 * 4000), "size"),
        (audio.check_demand, m.AudioDemand(next_sample=5, limit_sample=4), "order"),
        (audio.check_demand, m.AudioDemand(limit_sample=2**40), "size"),
        (audio.check_demand, m.AudioDemand(limit_sample=HIGHEST), "index"),
        (block.sink_from_msg, m.SinkFrame(version=2), "version"),
        (limits.check_epoch_numbers, m.EpochStart(epoch=HIGHEST), "epoch"),
        (limits.check_epoch_numbers, m.EpochStart(first_block=HIGHEST), "block"),
        (limits.check_epoch_numbers, m.EpochStart(stream_start=1), "order"),
        (conversation.say_from_goal, Say.Goal(audio=_sound(1, 9)), "rate"),
        (conversation.say_from_goal, Say.Goal(text="x" * 10**5), "text"),
    ],
)  # fmt: skip
def test_refused(read: Callable[[Any], Any], value: Any, reason: str) -> None:
    with pytest.raises(RefusedError) as error:
        read(value)
    assert error.value.reason == reason


def test_taken() -> None:
    now = time.time_ns() // 10**6
    assert limits.epoch_number(now + 1) == now + 1
    assert limits.block_number(-1) == -1 and limits.block_number(10**9) == 10**9
    assert limits.sample_index(2**50) == 2**50
    assert limits.duration_s(0.0) == 0.0
    audio.check_demand(m.AudioDemand(next_sample=5, limit_sample=64_000))
    said = conversation.say_from_goal(Say.Goal(audio=_sound(16000, 200 * 16000)))
    assert said.sound is not None and len(said.sound.samples) == 200 * 16000
