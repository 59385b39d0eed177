"""Turns of a conversation as messages."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS here")

from avatar_msgs import msg as m
from avatar_msgs.action import Perform, Say
from avatar_nodes.conducting import effects as fx
from avatar_nodes.conducting.conversation_table import Command, State
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.speaking.turn_stream import turn_of
from avatar_nodes.wire import conversation as wire


def test_a_sentence_there_and_back() -> None:
    sentence = fx.SpeakSentence(turn=7, index=2, text="Hello.", language="en", is_last=True)
    msg = wire.sentence_to_msg(sentence)
    assert not msg.cancelled
    assert wire.sentence_from_msg(msg) == sentence


def test_state_and_order_have_the_messages_numbers() -> None:
    state = wire.state_to_msg(
        fx.ReportState(
            state=State.SPEAKING, epoch=9, block=3, total_blocks=0, turn=7, replying=True,
            prompt="talks", reason="late",
        )
    )  # fmt: skip
    assert (state.state, state.block, state.turn) == (m.AvatarState.SPEAKING, 3, 7)
    assert (state.replying, state.prompt, state.reason) == (True, "talks", "late")
    order = wire.order_to_msg(fx.TurnOrder(Command.CANCEL, 7, 4, "words came"))
    assert (order.command, order.turn, order.first_block) == (m.TurnControl.CANCEL, 7, 4)


def test_what_is_to_be_said() -> None:
    goal = Say.Goal(text="Hello.", language="en", interrupt=True)
    request = wire.say_from_goal(goal)
    assert (request.text, request.language, request.interrupt) == ("Hello.", "en", True)
    assert request.sound is None
    goal.audio = m.AudioChunk(sample_rate=44_100, channels=2)
    goal.audio.data.extend([1, 2, 3, 4])
    first, second = (wire.say_from_goal(goal).sound for _ in range(2))
    assert first is not None and second is not None
    assert np.array_equal(first.samples, [1, 2, 3, 4])
    assert (first.sample_rate, first.channels) == (44_100, 2)
    assert turn_of(first.stream) == turn_of(second.stream) == 0
    assert first.stream != second.stream
    goal.audio.channels = 3
    with pytest.raises(RefusedError, match="no multiple of 3 channels"):
        wire.say_from_goal(goal)


def test_how_far_a_request_is_and_how_it_ends() -> None:
    said = wire.feedback_to_msg(fx.SayFeedback(1, "Hello.", elapsed_s=0.5, total_s=1.0))
    assert isinstance(said, Say.Feedback) and (said.elapsed, said.total) == (0.5, 1.0)
    acted = wire.feedback_to_msg(fx.PerformFeedback(1, blocks=2, remaining_s=0.25))
    assert isinstance(acted, Perform.Feedback) and (acted.blocks, acted.remaining) == (2, 0.25)
    over = wire.result_to_msg(fx.SayOver(1, True, duration_s=1.5))
    assert isinstance(over, Say.Result) and (over.success, over.duration) == (True, 1.5)
    done = wire.result_to_msg(fx.PerformOver(1, False, "busy", first_block=3, last_block=5))
    assert isinstance(done, Perform.Result)
    assert (done.success, done.message, done.first_block, done.last_block) == (False, "busy", 3, 5)
