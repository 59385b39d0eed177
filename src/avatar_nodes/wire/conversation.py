"""Turns of a conversation: avatar_msgs <-> `avatar_nodes.conducting`. Headers are left empty."""

from __future__ import annotations

from avatar_msgs import msg as m
from avatar_msgs.action import Perform, Say
from avatar_nodes.conducting.effects import (
    PerformFeedback,
    PerformOver,
    ReportState,
    SayFeedback,
    SayOver,
    SpeakSentence,
    TurnOrder,
)
from avatar_nodes.conducting.operator_requests import SayRequest, SaySound
from avatar_nodes.conducting.state_cycling import OWN_TURN
from avatar_nodes.speaking.turn_stream import new_stream
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.limits import text_of

_LONGEST_SAID_S = 600.0
"""Of sound that is handed over whole."""


def state_to_msg(report: ReportState) -> m.AvatarState:
    """What the avatar shows."""
    return m.AvatarState(
        state=int(report.state), epoch=report.epoch, block=report.block,
        total_blocks=report.total_blocks, turn=report.turn, replying=report.replying,
        prompt=report.prompt, reason=report.reason,
    )  # fmt: skip


def order_to_msg(order: TurnOrder) -> m.TurnControl:
    """What those who make a reply are told."""
    return m.TurnControl(
        turn=order.turn, command=int(order.command), first_block=order.first_block,
        reason=order.reason,
    )  # fmt: skip


def sentence_to_msg(sentence: SpeakSentence) -> m.ReplySegment:
    """A sentence of a reply."""
    return m.ReplySegment(
        turn=sentence.turn, index=sentence.index, text=sentence.text, language=sentence.language,
        is_last=sentence.is_last,
    )  # fmt: skip


def sentence_from_msg(msg: m.ReplySegment) -> SpeakSentence:
    """A sentence of a reply that was not cancelled. Raises RefusedError."""
    return SpeakSentence(
        turn=msg.turn, index=msg.index, text=text_of(msg.text), language=text_of(msg.language),
        is_last=msg.is_last,
    )  # fmt: skip


def say_from_goal(goal: Say.Goal) -> SayRequest:
    """What is to be said; its sound is of a stream of its own. Raises RefusedError."""
    sound = None
    if len(goal.audio.data):
        samples = audio_from_msg(goal.audio, longest_s=_LONGEST_SAID_S)
        sound = SaySound(
            stream=new_stream(OWN_TURN), samples=samples,
            sample_rate=goal.audio.sample_rate, channels=goal.audio.channels,
        )  # fmt: skip
    return SayRequest(
        text_of(goal.text), language=text_of(goal.language), interrupt=goal.interrupt, sound=sound
    )


def feedback_to_msg(told: SayFeedback | PerformFeedback) -> Say.Feedback | Perform.Feedback:
    """How far the speech or action of a request is."""
    if isinstance(told, PerformFeedback):
        return Perform.Feedback(blocks=told.blocks, remaining=told.remaining_s)
    return Say.Feedback(spoken_text=told.spoken_text, elapsed=told.elapsed_s, total=told.total_s)


def result_to_msg(over: SayOver | PerformOver) -> Say.Result | Perform.Result:
    """How a request has ended."""
    if isinstance(over, PerformOver):
        return Perform.Result(
            success=over.success, message=over.message, first_block=over.first_block,
            last_block=over.last_block,
        )  # fmt: skip
    return Say.Result(success=over.success, message=over.message, duration=over.duration_s)
