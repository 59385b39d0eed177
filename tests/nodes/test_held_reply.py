"""How long a held reply waits for the words that a visitor has said; the conversation alone."""

from __future__ import annotations

import time

import rclpy
from support.settings import overrides_of, settings_of
from support.spinner import Spinner
from support.waiting import wait_until

from avatar_msgs.msg import SpeechActivity, TurnControl, Utterance
from avatar_nodes.conducting.conversation_table import Command, EventKind
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.turn_numbers import check_turn
from avatar_nodes.nodes.conversation import Conversation


class Head(AvatarNode[ConductorSettings]):
    """A conductor without a stream."""

    KIND = "conductor"


class Talk:
    """A reply is heard, and the visitor makes a sound that has ended."""

    def __init__(self, context: rclpy.Context, spinner: Spinner, **limits: float) -> None:
        overrides = overrides_of(settings_of(ConductorSettings, **limits))
        head = Head(context=context, parameter_overrides=overrides)
        spinner.add(head)
        self.orders: list[Command] = []
        self.conversation = Conversation(head, obey=self._obey)
        self.conversation.tell(EventKind.REPLY_SOUND, 7)
        assert self.conversation.sounding
        self.since = time.monotonic()
        for active in (True, False):
            self.conversation._on_activity(SpeechActivity(active=active))
        self.head = head

    def _obey(self, command: Command) -> int:
        self.orders.append(command)
        return 1

    def resumes(self) -> bool:
        self.conversation.at_block_border()
        return self.conversation.sounding


def test_a_recognition_that_takes_longer_than_a_silence_finds_the_reply_held(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    talk = Talk(ros_context, spinner, words_timeout_s=0.1, held_timeout_s=1.0)
    wait_until(talk.resumes, what="the reply again")
    assert time.monotonic() - talk.since > 1.0
    assert talk.orders == [Command.PAUSE, Command.RESUME]
    talk.head.heartbeat.stop()


def test_words_that_come_late_cut_the_held_reply(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    talk = Talk(ros_context, spinner, words_timeout_s=0.1, held_timeout_s=60.0)
    time.sleep(0.3)
    assert not talk.resumes()
    talk.conversation._on_utterance(Utterance(turn=8, text="what is your name", is_final=True))
    assert talk.orders == [Command.PAUSE, Command.CANCEL]
    talk.head.heartbeat.stop()


def test_a_sound_without_words_lets_it_go_on_at_once(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    talk = Talk(ros_context, spinner, words_timeout_s=60.0, held_timeout_s=60.0)
    talk.conversation._on_utterance(Utterance(turn=8, text="", is_final=True))
    assert talk.orders == [Command.PAUSE, Command.RESUME]
    talk.head.heartbeat.stop()


def test_a_conductor_in_the_place_of_another_lets_every_reply_go_on(
    ros_context: rclpy.Context, spinner: Spinner
) -> None:
    talk = Talk(ros_context, spinner)
    told: list[TurnControl] = []
    talk.conversation._control_out.publish = told.append  # the node is not active
    asked_before_the_clock_was_set_back = time.time_ns() // 1_000_000 + 24 * 3_600_000
    talk.conversation.take_over()
    assert {msg.command for msg in told} == {TurnControl.RESUME}
    assert not any(msg.first_block for msg in told), "no block is muted"
    own, visitor_s = sorted(msg.turn for msg in told)
    assert own == 0
    assert visitor_s > asked_before_the_clock_was_set_back
    check_turn(visitor_s)
    talk.head.heartbeat.stop()
