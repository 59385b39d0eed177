"""The timeline node, by its topics: a whole turn in, its timeline out, for late comers too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import rclpy
from support.spinner import Spinner, wait_until

from avatar_msgs import msg as m
from avatar_nodes.nodes.timeline import TimelineNode
from avatar_nodes.timeline.turn_timeline import MILESTONES, describe
from avatar_nodes.wire.audio import audio_to_msg
from avatar_nodes.wire.qos import BLOCKS, CONTROL, LATCHED, LATCHED_FEW, SOUND, public_qos
from avatar_nodes.wire.stamp import stamp_of
from avatar_nodes.wire.timeline import timeline_from_msg, timeline_to_msg

RATE, FRAME = 16_000, 640
MS = 1_000_000
STREAM = "turn-5-ab"
TOPICS = {
    "user/speech_activity": (m.SpeechActivity, SOUND),
    "user/utterance": (m.Utterance, SOUND),
    "intent": (m.Intent, LATCHED),
    "reply": (m.ReplySegment, CONTROL),
    "speech/audio": (m.AudioChunk, SOUND),
    "blocks/conditioning": (m.BlockConditioning, BLOCKS),
    "audio": (m.AudioChunk, public_qos("SYSTEM_DEFAULT")),
    "state": (m.AvatarState, LATCHED),
    "turn/control": (m.TurnControl, CONTROL),
}


class Conversation:
    """Publishes what nodes of a conversation do, and collects timelines."""

    def __init__(self, spinner: Spinner) -> None:
        self.spinner = spinner
        self.node = spinner.create_node("conversation")
        self.begin = self.node.get_clock().now().nanoseconds
        self._out = {
            topic: self.node.create_publisher(kind, topic, qos)
            for topic, (kind, qos) in TOPICS.items()
        }
        self.timelines = self.subscribe("watcher")

    def subscribe(self, name: str) -> list[m.TurnTimeline]:
        timelines: list[m.TurnTimeline] = []
        node = self.spinner.create_node(name)
        node.create_subscription(m.TurnTimeline, "turn_timeline", timelines.append, LATCHED_FEW)
        return timelines

    def meet(self) -> None:
        wait_until(
            lambda: (
                all(out.get_subscription_count() for out in self._out.values())
                and self.node.count_publishers("turn_timeline") > 0
            ),
            what="the timeline node",
        )

    def send(self, topic: str, ms: int | None, msg: object) -> None:
        """Publish; stamped `ms` after the begin."""
        if ms is not None:
            msg.header.stamp = self.at(ms)  # type: ignore[attr-defined]
        self._out[topic].publish(msg)

    def at(self, ms: int) -> object:
        return stamp_of(self.begin + ms * MS)

    def reached(self, milestone: str) -> None:
        """Wait for it, so that the next event is later: topics do not keep an order."""
        wait_until(
            lambda: any(getattr(timeline, milestone).sec for timeline in list(self.timelines)),
            what=milestone,
        )


@pytest.fixture
def conversation(ros_context: rclpy.Context, spinner: Spinner) -> Iterator[Conversation]:
    conversation = Conversation(spinner)
    node = TimelineNode(context=ros_context)
    node.autostart()
    spinner.add(node)
    conversation.meet()
    conversation.watched = node  # type: ignore[attr-defined]
    yield conversation
    node.heartbeat.stop()


def test_a_turn(conversation: Conversation) -> None:
    talk, sound = conversation, np.arange(1, 3 * FRAME + 1, dtype=np.int16)
    talk.send("user/speech_activity", 1400, m.SpeechActivity(stream="mic", since_sample=9))
    wait_until(lambda: bool(talk.watched._observer._silences), what="the silence")
    talk.send(
        "user/utterance", 1500,
        m.Utterance(turn=5, text="hello", is_final=True, start=talk.at(0), end=talk.at(1000)),
    )  # fmt: skip
    talk.reached("utterance_ready")
    talk.send("intent", 1510, m.Intent(turn=5, reply="Hi."))
    talk.reached("first_token")
    talk.send("reply", 1520, m.ReplySegment(turn=5, text="Hi.", is_last=True))
    talk.reached("first_segment")
    chunk = audio_to_msg(sound, stream=STREAM, sample_rate=RATE, first_sample=0, end_of_stream=True)
    talk.send("speech/audio", 1530, chunk)
    talk.reached("first_sound")
    block = audio_to_msg(
        np.concatenate([np.zeros(9 * FRAME, np.int16), sound]),
        stream=STREAM, sample_rate=RATE, first_sample=0,
    )  # fmt: skip
    talk.send("blocks/conditioning", None, m.BlockConditioning(sound=block, next_sample=3 * FRAME))
    talk.reached("first_block")
    for place in range(3):
        frame = audio_to_msg(
            sound[place * FRAME : (place + 1) * FRAME],
            stream="out", sample_rate=RATE, first_sample=place * FRAME,
        )  # fmt: skip
        talk.send("audio", 2360 + 40 * place, frame)
    talk.reached("reply_ended")
    late = talk.subscribe("late")
    wait_until(lambda: bool(late) and late[-1].reply_ended.sec > 0, what="the latched timeline")

    timeline = timeline_from_msg(late[-1])
    passed = {name: (getattr(timeline, name) - talk.begin) // MS for name in MILESTONES}
    assert passed.pop("first_block") > 0  # when it arrived, on the clock of the machine
    assert passed == {
        "speech_started": 0, "speech_ended": 1000, "turn_detected": 1400, "utterance_ready": 1500,
        "first_token": 1510, "first_segment": 1520, "first_sound": 1530, "first_frame": 2000,
        "reply_ended": 2440,
    }  # fmt: skip
    assert timeline.turn == 5 and not timeline.interrupted
    assert "answered after 1.00 s" in describe(timeline)
    again = timeline_to_msg(timeline)
    again.header = late[-1].header
    assert again == late[-1]


def test_a_turn_that_is_cut_short(conversation: Conversation) -> None:
    talk = conversation
    talk.send(
        "user/utterance", 0,
        m.Utterance(turn=5, text="hello", is_final=True, start=talk.at(-900), end=talk.at(-500)),
    )  # fmt: skip
    talk.reached("utterance_ready")
    for command in (m.TurnControl.PAUSE, m.TurnControl.RESUME, m.TurnControl.CANCEL):
        talk.send("turn/control", 0, m.TurnControl(turn=5, command=command))
    wait_until(lambda: talk.timelines[-1].interrupted, what="the end of the turn")
    assert [timeline.interrupted for timeline in talk.timelines].count(True) == 1


def test_bad_messages_are_refused(conversation: Conversation) -> None:
    talk = conversation
    wrong = m.AudioChunk(stream=STREAM, sample_rate=0, channels=1, data=[1, 2])
    talk.send("audio", 0, wrong)
    talk.send("blocks/conditioning", None, m.BlockConditioning(sound=wrong, next_sample=9))
    wait_until(lambda: talk.watched.telemetry.rejections == {"rate": 2}, what="the refusals")
    talk.send("intent", None, m.Intent(turn=2**64 - 1))
    talk.send("speech/audio", None, m.AudioChunk(stream=f"turn-{2**64 - 1}-ab", data=[1]))
    talk.reached("first_sound")
    assert talk.timelines[-1].turn == 2**64 - 1
