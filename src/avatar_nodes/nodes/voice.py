"""Speaks: the sentences of a reply become one stream of sound, as the conductor demands it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from avatar_msgs.msg import AudioDemand, Persona, ReplySegment, TurnControl
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.mind.persona_file import PersonaError, load_listed
from avatar_nodes.mind.phrasebook import standing_sentences
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turns import check_turn
from avatar_nodes.speaking.settings import VoiceSettings
from avatar_nodes.speaking.speaker import Speaker
from avatar_nodes.speaking.synthesis.backends import build_synthesiser
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import check_demand
from avatar_nodes.wire.limits import text_of
from avatar_nodes.wire.reply import speech_to_msg

_POLL_S = 0.1


class VoiceNode(AvatarNode[VoiceSettings]):
    """`reply` and `turn/control` in; `speech/audio` out; obeys `speech/demand`.

    The speech of a turn is a stream of its own (see `speech.turn_stream`). Its first `lead_s` go
    out unasked, the rest as it is demanded; what makes no sound, or fails to, ends it all the same.
    """

    KIND = "voice"

    def setup(self) -> None:
        self._audio = self.publisher(topics.SPEECH_AUDIO)
        self._send_soon: Callable[[], None] | None = None
        self._send_lock = threading.Lock()
        self._speaker = Speaker(
            build_synthesiser(self.settings.model_copy(update={"volume": 1.0})),
            chunk_samples=self.settings.chunk_samples,
            lead_s=self.settings.lead_s,
            ahead_s=self.settings.ahead_s,
            sentence_pause_s=self.settings.sentence_pause_s,
            gap_s=self.settings.gap_s,
            patience_s=self.settings.patience_s,
            on_sound=self._on_sound,
            stand_in=self._stand_in(),
        )
        for name in ("failures", "late"):
            self.telemetry.count(name, 0)

    def _stand_in(self) -> Synthesiser | None:
        """Who speaks while the voice cannot, rather than nobody."""
        if self.settings.backend == "espeak":
            return None
        return build_synthesiser(VoiceSettings(sample_rate=self.settings.sample_rate))

    def start(self) -> None:
        # Before the replies: what is to be held or dropped is known when both are there.
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.listen(topics.REPLY, self._on_reply)
        self.listen(topics.SPEECH_DEMAND, self._on_demand)
        if self.settings.persona:
            self.listen(topics.PERSONA, self._on_persona)
        send = self._guarded("speech", lambda _: self._send())
        with self._send_lock:
            self._send_soon = lambda: send(None)
        self.every(_POLL_S, self._tick)
        self.heartbeat.say(ready=True, detail=f"{self.settings.backend}: waiting for a reply")

    def stop(self) -> None:
        with self._send_lock:
            self._send_soon = None

    def teardown(self) -> None:
        if speaker := getattr(self, "_speaker", None):
            speaker.close()

    def _on_sound(self) -> None:
        """On the synthesis thread: let the node's own thread send."""
        with self._send_lock:
            if self._send_soon is not None and self.executor is not None:
                self.executor.create_task(self._send_soon)

    def _on_persona(self, msg: Persona) -> None:
        """What it will say: only a persona that the operator has is looked at."""
        try:
            persona = load_listed(text_of(msg.persona), self.settings.persona)
        except PersonaError as error:
            raise RefusedError("persona", str(error).splitlines()[0]) from None
        self._speaker.expect(standing_sentences(persona), persona.language)

    def _on_reply(self, msg: ReplySegment) -> None:
        check_turn(msg.turn)
        self.note_hop(msg.header.stamp)
        if msg.cancelled:
            self._speaker.cancel(msg.turn)
        elif not self._speaker.say(
            msg.turn, msg.index, text_of(msg.text), language=text_of(msg.language),
            is_last=msg.is_last,
        ):  # fmt: skip
            self.telemetry.count("late")
        self._send()

    def _on_control(self, msg: TurnControl) -> None:
        check_turn(msg.turn)
        if msg.command == TurnControl.PAUSE:
            self._speaker.pause(msg.turn)
        elif msg.command == TurnControl.RESUME:
            self._speaker.resume(msg.turn)
        elif msg.command == TurnControl.CANCEL:
            self._speaker.cancel(msg.turn)
        else:
            raise RefusedError("command", f"unknown command {msg.command}")
        self._send()

    def _on_demand(self, msg: AudioDemand) -> None:
        check_demand(msg)
        if self._speaker.demand(msg.stream, msg.next_sample, msg.limit_sample):
            self._send()

    def _tick(self) -> None:
        self._send()
        self._measure()

    def _send(self) -> None:
        for sent in self._speaker.poll():
            by_now = sent.at_volume(self.settings.volume)
            msg = speech_to_msg(by_now, sample_rate=self.settings.sample_rate)
            msg.header.stamp = self.get_clock().now().to_msg()
            msg.header.frame_id = self.KIND
            self._audio.publish(msg)
            self.telemetry.output()
            if first_sound_s := sent.first_sound_s:
                self.telemetry.sample("first_sound_ms", first_sound_s * 1000.0)
            said = "has ended" if sent.run.end_of_stream else "is spoken"
            if not self.heartbeat.condition.trouble:
                self.heartbeat.say(detail=f"turn {sent.turn} {said}")

    def _measure(self) -> None:
        reply = self._speaker.reply
        rate = self.settings.sample_rate
        self.telemetry.gauge("queue_depth", self._speaker.waiting)
        self.telemetry.gauge("unprepared", self._speaker.unprepared)
        self.telemetry.gauge("ahead_s", 0.0 if reply is None else reply.ahead / rate)
        self.telemetry.gauge("resent", 0 if reply is None else reply.sender.resent)
        self.telemetry.gauge("held", float(self._speaker.held))
        self.telemetry.gauge("given_up", self._speaker.given_up)
        for report in self._speaker.reports():
            if report.sound_s and report.made_s:
                self.telemetry.sample("real_time_factor", report.made_s / report.sound_s)
            if not report.error:
                self.heartbeat.say(trouble=False)
            else:
                self.telemetry.count("failures")
                self.heartbeat.say(trouble=True, detail=report.error)
                self.get_logger().warning(
                    f"turn {report.turn}, sentence {report.index}: {report.error}"
                )


def main() -> None:
    """Run the node as a process."""
    main_of(VoiceNode)


if __name__ == "__main__":
    main()
