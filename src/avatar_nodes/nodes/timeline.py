"""Watches a conversation from outside and says when each turn passed which milestone."""

from __future__ import annotations

from builtin_interfaces.msg import Time

from avatar_msgs.msg import (
    AudioChunk,
    AvatarState,
    BlockConditioning,
    Intent,
    ReplySegment,
    SpeechActivity,
    TurnControl,
    Utterance,
)
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.text.words import has_words
from avatar_nodes.timeline.settings import TimelineSettings
from avatar_nodes.timeline.turn_observer import TurnObserver
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.stamp import nanoseconds
from avatar_nodes.wire.timeline import timeline_to_msg

_LOOK_S = 0.2


class TimelineNode(AvatarNode[TimelineSettings]):
    """`user/speech_activity`, `user/utterance`, `intent`, `reply`, `speech/audio`,
    `blocks/conditioning`, `audio`, `state`, `turn/control` in; `turn_timeline` out, at every
    milestone and at the end of each turn. Nothing waits for it."""

    KIND = "timeline"

    def setup(self) -> None:
        fps = self.settings.fps
        self._observer = TurnObserver(
            frame_samples=self.settings.sample_rate // fps, frame_ns=1_000_000_000 // fps
        )
        self._out = self.publisher(topics.TURN_TIMELINE)

    def start(self) -> None:
        self.listen(topics.SPEECH_ACTIVITY, self._on_activity)
        self.listen(topics.UTTERANCE, self._on_utterance)
        self.listen(topics.INTENT, self._on_intent)
        self.listen(topics.REPLY, self._on_reply)
        self.listen(topics.SPEECH_AUDIO, self._on_speech)
        self.listen(topics.CONDITIONING, self._on_block)
        self.listen(topics.AUDIO, self._on_heard)
        self.listen(topics.STATE, self._on_state)
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.every(_LOOK_S, self._look)
        self.heartbeat.say(ready=True, detail="watching")

    def _on_activity(self, msg: SpeechActivity) -> None:
        self._observer.activity(
            msg.stream,
            active=msg.active,
            since_sample=msg.since_sample,
            stamp=self._when(msg.header.stamp),
        )

    def _on_utterance(self, msg: Utterance) -> None:
        if not msg.turn:  # it will have one
            return
        self._observer.utterance(
            msg.turn,
            is_final=msg.is_final,
            has_words=has_words(msg.text),
            start=nanoseconds(msg.start),
            end=nanoseconds(msg.end),
            stamp=self._when(msg.header.stamp),
        )
        self._tell()

    def _on_intent(self, msg: Intent) -> None:
        self._observer.intent(msg.turn, stamp=self._when(msg.header.stamp))
        self._tell()

    def _on_reply(self, msg: ReplySegment) -> None:
        self._observer.segment(
            msg.turn, has_words=has_words(msg.text), stamp=self._when(msg.header.stamp)
        )
        self._tell()

    def _on_speech(self, msg: AudioChunk) -> None:
        self._observer.speech(
            msg.stream,
            first_sample=msg.first_sample,
            count=len(msg.data),
            end_of_stream=msg.end_of_stream,
            stamp=self._when(msg.header.stamp),
        )
        self._tell()

    def _on_block(self, msg: BlockConditioning) -> None:
        """Its stamp says when it is due, so that it was issued is told by its arrival."""
        if msg.next_sample > msg.sound.first_sample:
            self._observer.block(
                msg.sound.stream,
                samples=audio_from_msg(msg.sound),
                next_sample=msg.next_sample,
                stamp=self.get_clock().now().nanoseconds,
            )
            self._tell()

    def _on_heard(self, msg: AudioChunk) -> None:
        self._observer.heard(audio_from_msg(msg), stamp=self._when(msg.header.stamp))
        self._tell()

    def _on_state(self, msg: AvatarState) -> None:
        self._observer.state(msg.turn, stamp=self._when(msg.header.stamp))

    def _on_control(self, msg: TurnControl) -> None:
        if msg.command == TurnControl.CANCEL:
            self._observer.cancelled(msg.turn, stamp=self._when(msg.header.stamp))

    def _look(self) -> None:
        self._observer.tick(self.get_clock().now().nanoseconds)
        self._tell()
        self.telemetry.gauge("turns_open", self._observer.open)

    def _tell(self) -> None:
        for timeline in self._observer.news():
            msg = timeline_to_msg(timeline)
            msg.header.stamp = self.get_clock().now().to_msg()
            self._out.publish(msg)
            self.telemetry.output()
            for name, seconds in timeline.durations().items():
                self.telemetry.gauge(f"{name}_s", seconds)

    def _when(self, stamp: Time) -> int:
        """A message's stamp [ns]; now where it was left empty."""
        return nanoseconds(stamp) or self.get_clock().now().nanoseconds


def main() -> None:
    """Run the node as a process."""
    main_of(TimelineNode)


if __name__ == "__main__":
    main()
