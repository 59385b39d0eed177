"""Speaks: the sentences of a reply become one stream of sound, as the conductor demands it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from avatar_msgs.msg import AudioDemand, ReplySegment, TurnControl
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turn_numbers import check_turn
from avatar_nodes.speaking.speaker import Speaker
from avatar_nodes.speaking.synthesis.backends import BACKENDS, VoiceOptions, build_synthesiser
from avatar_nodes.speaking.synthesis.synthesiser import Synthesiser
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_to_msg

_POLL_S = 0.1


class VoiceNode(AvatarNode):
    """`reply` and `turn/control` in; `speech/audio` out; obeys `speech/demand`.

    The speech of a turn is a stream of its own (see `speech.turn_stream`). Its first `lead_s` go
    out unasked, the rest as it is demanded; what makes no sound, or fails to, ends it all the same.
    """

    KIND = "voice"
    PARAMETERS = (
        NodeParameter("backend", "espeak", "What speaks.", choices=BACKENDS),
        NodeParameter(
            "voice",
            "en-us",
            "espeak: language+variant (en-us+f3); http: the server's name of it; piper: its file.",
        ),
        NodeParameter("speed", 1.0, "1: natural; 2: twice as fast.", 0.5, 2.5),
        NodeParameter("pitch", 50, "Of backend espeak.", 0, 99),
        NodeParameter("volume", 1.0, "Of backends espeak and piper; 1: as it is.", 0.0, 2.0),
        NodeParameter("speaker", -1, "Of a piper voice of several; -1: its own choice.", -1, 9999),
        NodeParameter("base_url", "", "Address of backend http's server (http://.../v1)."),
        NodeParameter("model", "tts-1", "Backend http: the server's name of the model."),
        NodeParameter("api_key_env", "", "Environment variable that holds the server's key."),
        NodeParameter(
            "response_format", "wav", "What backend http asks for.", choices=("wav", "pcm")
        ),
        NodeParameter("timeout_s", 5.0, "Wait for the server's next bytes [s].", 0.1, 600.0),
        NodeParameter("sample_rate", 16000, "Samples per second of the graph.", 8000, 192000),
        NodeParameter("chunk_samples", 640, "Samples of a message at most.", 1, 1 << 20),
        NodeParameter("lead_s", 1.0, "Speech that goes out before it is demanded [s].", 0.0, 10.0),
        NodeParameter("ahead_s", 10.0, "Speech made before it is sent [s].", 0.5, 600.0),
        NodeParameter("sentence_pause_s", 0.2, "Silence between two sentences [s].", 0.0, 5.0),
        NodeParameter("gap_s", 0.5, "Wait for a sentence that is missing [s].", 0.0, 60.0),
        NodeParameter("patience_s", 15.0, "Wait for the next sentence [s].", 0.1, 600.0),
    )

    def setup(self) -> None:
        names = (
            "backend", "voice", "speed", "pitch", "volume", "speaker", "base_url", "model",
            "api_key_env", "response_format", "timeout_s", "sample_rate",
        )  # fmt: skip
        options = VoiceOptions(**{name: self.value(name) for name in names})
        self._audio = self.publisher(topics.SPEECH_AUDIO)
        self._send_soon: Callable[[], None] | None = None
        self._send_lock = threading.Lock()
        self._speaker = Speaker(
            build_synthesiser(options),
            chunk_samples=self.value("chunk_samples"),
            lead_s=self.value("lead_s"),
            ahead_s=self.value("ahead_s"),
            sentence_pause_s=self.value("sentence_pause_s"),
            gap_s=self.value("gap_s"),
            patience_s=self.value("patience_s"),
            on_sound=self._on_sound,
            stand_in=self._stand_in(),
        )
        for name in ("failures", "late"):
            self.telemetry.count(name, 0)

    def _stand_in(self) -> Synthesiser | None:
        """Who speaks while the voice cannot, rather than nobody."""
        if self.value("backend") == "espeak":
            return None
        options = VoiceOptions(backend="espeak", sample_rate=self.value("sample_rate"))
        return build_synthesiser(options)

    def start(self) -> None:
        # Before the replies: what is to be held or dropped is known when both are there.
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.listen(topics.REPLY, self._on_reply)
        self.listen(topics.SPEECH_DEMAND, self._on_demand)
        send = self._guarded("speech", lambda _: self._send())
        with self._send_lock:
            self._send_soon = lambda: send(None)
        self.every(_POLL_S, self._tick)
        self.heartbeat.say(ready=True, detail=f"{self.value('backend')}: waiting for a reply")

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

    def _on_reply(self, msg: ReplySegment) -> None:
        check_turn(msg.turn)
        self.note_hop(msg.header.stamp)
        if msg.cancelled:
            self._speaker.cancel(msg.turn)
        elif not self._speaker.say(
            msg.turn, msg.index, msg.text, language=msg.language, is_last=msg.is_last
        ):
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
        if msg.limit_sample < msg.next_sample:
            raise RefusedError("order", f"limit {msg.limit_sample} before sample {msg.next_sample}")
        if self._speaker.demand(msg.stream, msg.next_sample, msg.limit_sample):
            self._send()

    def _tick(self) -> None:
        self._send()
        self._measure()

    def _send(self) -> None:
        for sent in self._speaker.poll():
            run = sent.run
            msg = audio_to_msg(
                run.samples,
                stream=sent.stream,
                sample_rate=self.value("sample_rate"),
                first_sample=run.first_sample,
                end_of_stream=run.end_of_stream,
            )
            msg.header.stamp = self.get_clock().now().to_msg()
            msg.header.frame_id = self.KIND
            self._audio.publish(msg)
            self.telemetry.output()
            if first_sound_s := sent.first_sound_s:
                self.telemetry.sample("first_sound_ms", first_sound_s * 1000.0)
            said = "has ended" if run.end_of_stream else "is spoken"
            if not self.heartbeat.condition.trouble:
                self.heartbeat.say(detail=f"turn {sent.turn} {said}")

    def _measure(self) -> None:
        reply = self._speaker.reply
        rate = self.value("sample_rate")
        self.telemetry.gauge("queue_depth", 0 if reply is None else reply.order.waiting)
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
