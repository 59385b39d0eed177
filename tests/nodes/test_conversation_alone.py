"""The conductor's part in a conversation without a graph: messages in the order of the test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import rclpy
from support.settings import overrides_of, settings_of

from avatar_msgs.msg import AudioChunk, SpeechActivity, Utterance
from avatar_nodes.conducting.conversation_table import Command, EventKind, State
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.nodes import conversation
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.conversation import Conversation
from avatar_nodes.speaking.turn_stream import new_stream
from avatar_nodes.wire.stamp import stamp_of

PATIENT = {
    f"{what}_timeout_s": 60.0 for what in ("words", "held", "listening", "thinking", "speaking")
}
"""However slow the machine is, nothing ends by itself."""


class Talk(AvatarNode[ConductorSettings]):
    """A conversation, and who speaks in it, at seconds of his own clock."""

    KIND = "conductor"

    def setup(self) -> None:
        self.orders: list[Command] = []
        self.conversation = Conversation(self, obey=self._obey)

    def speaks(self, active: bool, at_s: float) -> None:
        msg = SpeechActivity(active=active)
        msg.header.stamp = stamp_of(round(at_s * 1e9))
        self.conversation._on_activity(msg)

    def words(self, turn: int, text: str, *, end_s: float) -> None:
        self.conversation._on_utterance(
            Utterance(turn=turn, text=text, is_final=True, end=stamp_of(round(end_s * 1e9)))
        )

    def answers(self, turn: int) -> None:
        """Sound of the reply to `turn` comes."""
        chunk = AudioChunk(stream=new_stream(turn), sample_rate=16000, channels=1)
        chunk.data.frombytes(bytes(1280))
        assert self.conversation.takes(chunk)

    @property
    def shown(self) -> State:
        return self.conversation.at_block_border().state

    def _obey(self, command: Command) -> int:
        self.orders.append(command)
        return 0


@pytest.fixture
def start(ros_context: rclpy.Context) -> Iterator[Callable[..., Talk]]:
    nodes: list[Talk] = []

    def start(**parameters: object) -> Talk:
        values = PATIENT | parameters
        overrides = overrides_of(settings_of(ConductorSettings, **values))
        nodes.append(Talk(context=ros_context, parameter_overrides=overrides))
        nodes[-1].autostart()
        return nodes[-1]

    yield start
    for node in nodes:
        node.shut_down()


def test_noise_before_he_speaks_again_does_not_let_a_held_reply_go_on(
    start: Callable[..., Talk],
) -> None:
    talk = start()
    talk.words(5, "what can you do", end_s=2.0)
    talk.answers(5)
    talk.speaks(True, 10.0)
    talk.speaks(False, 11.0)
    talk.speaks(True, 12.0)
    talk.words(6, "", end_s=11.0)
    assert talk.orders == [Command.PAUSE]
    assert talk.shown is State.LISTENING
    talk.speaks(False, 13.0)
    talk.words(7, "", end_s=13.0)
    assert talk.orders == [Command.PAUSE, Command.RESUME]


@pytest.mark.parametrize("barge_in", [True, False])
def test_noise_before_he_speaks_again_does_not_end_listening(
    start: Callable[..., Talk], barge_in: bool
) -> None:
    talk = start(barge_in=barge_in)
    talk.speaks(True, 10.0)
    talk.speaks(False, 11.0)
    talk.speaks(True, 12.0)
    talk.words(6, "", end_s=11.0)
    assert talk.shown is State.LISTENING
    talk.speaks(False, 13.0)
    talk.words(7, "", end_s=13.0)
    assert talk.shown is State.IDLE


def test_a_reply_lasts_until_its_last_sound_was_heard(start: Callable[..., Talk]) -> None:
    """Which is later than the blocks behind it are issued."""
    talk = start()
    talk.words(5, "what can you do", end_s=2.0)
    talk.answers(5)
    assert talk.shown is State.SPEAKING
    talk.conversation.issued(7)
    talk.conversation.shown(7)
    assert talk.shown is State.IDLE
    assert talk.conversation.replying
    talk.conversation.shown(8)
    assert not talk.conversation.replying
    assert talk.orders == []


def test_a_reply_of_which_sound_is_issued_has_not_broken_off(
    start: Callable[..., Talk], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    clock = SimpleNamespace(monotonic=lambda: now[0], time_ns=time.time_ns)
    monkeypatch.setattr(conversation, "time", clock)
    talk = start(speaking_timeout_s=1.0)
    talk.conversation.say("", "")
    talk.conversation.tell(EventKind.REPLY_SOUND)
    for _ in range(6):
        now[0] += 0.5
        assert talk.shown is State.SPEAKING
        talk.conversation.sounds()
    assert talk.orders == []
    now[0] += 1.1
    assert talk.shown is State.IDLE
    assert talk.orders == [Command.CANCEL]


def test_a_clock_that_is_set_back_by_hours_leaves_turns_valid(start: Callable[..., Talk]) -> None:
    """Also those that a conductor which was restarted since does not know."""
    talk = start()
    before = time.time_ns() // 1_000_000 + 5 * 3_600_000
    talk.words(before, "what can you do", end_s=2.0)
    talk.answers(before)
    assert talk.shown is State.SPEAKING
