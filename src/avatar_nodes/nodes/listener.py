"""Hears the visitor: when he speaks, and what he says."""

from __future__ import annotations

from collections.abc import Callable

from avatar_msgs.msg import AudioChunk, Persona
from avatar_nodes.conducting.turn_numbers import TurnNumbers
from avatar_nodes.hearing.audio_processing import (
    AudioProcessing,
    AudioProcessingError,
    automatic_gain,
)
from avatar_nodes.hearing.echo.echo import open_echo_control
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.listening import Activity, Listening
from avatar_nodes.hearing.recognition.backends import open_recogniser
from avatar_nodes.hearing.recognition.recogniser import Recogniser
from avatar_nodes.hearing.recognition.worker import Heard
from avatar_nodes.hearing.settings import ListenerSettings
from avatar_nodes.hearing.sound_intake import SoundIntake
from avatar_nodes.hearing.turn_end import stored_turn_end
from avatar_nodes.hearing.voice_activity import SileroVoiceActivity
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turns import follow_turns
from avatar_nodes.wire import topics
from avatar_nodes.wire.hearing import activity_to_msg, chunk_from_msg, utterance_to_msg
from avatar_nodes.wire.stamp import stamp_of

_LOOK_S = 0.25


class ListenerNode(AvatarNode[ListenerSettings]):
    """`user/audio` and, against echo, `audio` in; `user/speech_activity` and `user/utterance` out.
    From `user/utterance`, `intent` and `state` it knows how others number turns.

    Every turn begins with activity and ends with one final utterance; its text is empty where no
    words were found.
    """

    KIND = "listener"

    def setup(self) -> None:
        mode, echo, self._lack = open_echo_control(
            self.settings.echo,
            delay_s=self.settings.echo_delay_s,
            tail_s=self.settings.echo_tail_s,
        )
        if self._lack:
            self.get_logger().warning(self._lack)
        voice = SileroVoiceActivity()
        self._phrases = self.settings.phrases
        self._persona_language = self.settings.persona_language
        recogniser = self._open_recogniser(on_lack=self.get_logger().warning)
        self._echo = echo
        self._reference = SoundIntake()
        self._activity = self.publisher(topics.SPEECH_ACTIVITY)
        self._utterance = self.publisher(topics.UTTERANCE)
        self._turns = TurnNumbers()
        self._listening = Listening(
            voice=voice,
            recogniser=recogniser,
            echo=echo,
            gate=EchoGate(margin_db=self.settings.gate_margin_db) if mode == "gate" else None,
            gain=self._gain(),
            settings=self.settings,
            known=self._phrases if self.settings.eager else (),
            turn_end=stored_turn_end(),
            turn_clock=self._turns.take,
            on_heard=self._on_heard,
            on_error=self._on_recognition_error,
        )

    def start(self) -> None:
        follow_turns(self, self._turns)
        self.listen(topics.USER_AUDIO, self._on_user_audio)
        self.listen(topics.AUDIO, self._on_avatar_audio)
        if self.settings.persona_phrases:
            self.listen(topics.PERSONA, self._on_persona)
        self.every(_LOOK_S, self._look)
        self.heartbeat.say(ready=True, detail=self._lack or "listening", trouble=bool(self._lack))

    def teardown(self) -> None:
        if listening := getattr(self, "_listening", None):
            listening.close()

    def _gain(self) -> AudioProcessing | None:
        """Automatic gain, where it is wanted and there."""
        try:
            return automatic_gain() if self.settings.automatic_gain else None
        except AudioProcessingError as error:
            self.get_logger().warning(f"a quiet voice may not be heard, for want of gain: {error}")
            return None

    def _open_recogniser(
        self, *, on_lack: Callable[[str], object] = lambda line: None
    ) -> Recogniser:
        recogniser = open_recogniser(
            self.settings.recogniser,
            model=self.settings.recogniser_model,
            phrases=self._phrases,
            language=self.settings.language,
            likely_language=self._persona_language,
            device=self.settings.recogniser_device,
            threads=self.settings.threads,
            on_lack=on_lack,
        )
        if unknown := getattr(recogniser, "unknown_words", []):
            self.get_logger().warning(f"phrases left out for unknown words: {', '.join(unknown)}")
        return recogniser

    def _on_persona(self, msg: Persona) -> None:
        if list(msg.phrases) != self._phrases:
            self._phrases = list(msg.phrases)
            self._persona_language = msg.language
            known = self._phrases if self.settings.eager else ()
            self._listening.expect(known, self._open_recogniser)

    def _on_user_audio(self, msg: AudioChunk) -> None:
        now_ns = self.get_clock().now().nanoseconds
        reports = self._listening.hear(chunk_from_msg(msg), now_ns=now_ns)
        self.telemetry.sample("vad_ms", self._listening.vad_ms)
        self._publish(reports)

    def _on_avatar_audio(self, msg: AudioChunk) -> None:
        now_ns = self.get_clock().now().nanoseconds
        piece = self._reference.push(chunk_from_msg(msg), now_ns=now_ns)
        if piece is not None:
            self._listening.play(piece.samples, piece.captured_ns, over=piece.over)

    def _look(self) -> None:
        self._publish(self._listening.tick(self.get_clock().now().nanoseconds))
        self.telemetry.gauge("backlog_s", self._listening.worker.backlog_s)
        self.telemetry.gauge("overloads", self._listening.worker.overloads)
        self.telemetry.gauge("gaps", self._listening.intake.gaps)
        if (present := self._echo.present) is not None:
            self.telemetry.gauge("echo_present", float(present))
        if (erle := self._echo.erle_db) is not None:
            self.telemetry.gauge("echo_return_loss_db", erle)

    def _publish(self, reports: list[Activity]) -> None:
        for report in reports:
            msg = activity_to_msg(report)
            msg.header.stamp = stamp_of(report.captured_ns)
            self._activity.publish(msg)

    def _on_heard(self, heard: Heard) -> None:
        """Called on the recognition's thread."""
        text = heard.recognition
        msg = utterance_to_msg(
            heard.turn, text.text, is_final=heard.is_final, start_ns=heard.start_ns,
            end_ns=heard.end_ns, language=text.language, confidence=text.confidence,
        )  # fmt: skip
        msg.header.stamp = self.get_clock().now().to_msg()
        self._utterance.publish(msg)
        if heard.is_final:
            self.telemetry.output()
            self.telemetry.count("turns")
            self.telemetry.sample("recognition_ms", heard.took_ms)
            latency = self.get_clock().now().nanoseconds - heard.end_ns
            self.telemetry.sample("speech_end_to_text_ms", latency / 1e6)

    def _on_recognition_error(self, line: str) -> None:
        self.telemetry.count("recognition_errors")
        self.get_logger().error(f"recognition: {line}")


def main() -> None:
    """Run the node as a process."""
    main_of(ListenerNode)


if __name__ == "__main__":
    main()
