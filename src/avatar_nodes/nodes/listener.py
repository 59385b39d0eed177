"""Hears the visitor: when he speaks, and what he says."""

from __future__ import annotations

from avatar_msgs.msg import AudioChunk, Persona, SpeechActivity, Utterance
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.hearing.echo.canceller import EchoCancellerError
from avatar_nodes.hearing.echo.echo import ECHO_MODES, EchoControl, EchoMode
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.listening import Activity, Listening, ListeningSettings
from avatar_nodes.hearing.recognition.recogniser import (
    RECOGNISERS,
    USE_PHRASES,
    Recogniser,
    open_recogniser,
)
from avatar_nodes.hearing.recognition.worker import Heard
from avatar_nodes.hearing.sound_intake import SoundIntake
from avatar_nodes.hearing.turn_detector import TurnSettings
from avatar_nodes.hearing.voice_activity import SileroVoiceActivity
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turn_numbers import TurnNumbers
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

_LOOK_S = 0.25


class ListenerNode(AvatarNode):
    """`user/audio` and, against echo, `audio` in; `user/speech_activity` and `user/utterance` out.
    From `user/utterance`, `intent` and `state` it knows how others number turns.

    Every turn begins with activity and ends with one final utterance; its text is empty where no
    words were found.
    """

    KIND = "listener"
    PARAMETERS = (
        NodeParameter("threads", 1, "CPU threads for its arithmetic.", 1, 256),
        NodeParameter("vad_threshold", 0.5, "Probability from which sound is speech.", 0.05, 0.95),
        NodeParameter("vad_release", 0.35, "Probability below which speech stops.", 0.01, 0.95),
        NodeParameter(
            "vad_threshold_playback", 0.6, "vad_threshold while the avatar plays.", 0.05, 0.99
        ),
        NodeParameter("min_speech_s", 0.1, "Speech that begins a turn [s].", 0.03, 2.0),
        NodeParameter("silence_s", 0.4, "Silence that ends a turn [s].", 0.1, 5.0),
        NodeParameter(
            "min_utterance_s", 0.25, "A turn with less speech holds no words [s].", 0.0, 5.0
        ),
        NodeParameter("pre_roll_s", 0.3, "Sound before speech that is recognised [s].", 0.0, 2.0),
        NodeParameter("max_utterance_s", 20.0, "Longest turn; then it is ended [s].", 1.0, 300.0),
        NodeParameter(
            "echo", "aec", "Against the avatar's own voice: cancelled (gated where that is"
            " impossible), gated, or nothing.", choices=ECHO_MODES,
        ),
        NodeParameter(
            "echo_delay_s", 0.0, "Known delay of the loudspeaker after `audio`'s stamps [s].",
            -0.5, 2.0,
        ),
        NodeParameter("echo_tail_s", 0.3, "How long its echo outlasts the avatar [s].", 0.0, 2.0),
        NodeParameter(
            "gate_margin_db", 6.0, "Gate: a visitor is so much louder than the echo.", 0.0, 40.0
        ),
        NodeParameter("recogniser", "pocketsphinx", "What recognises.", choices=RECOGNISERS),
        NodeParameter("recogniser_model", "", "Folder of its model; empty: the one it carries."),
        NodeParameter("recogniser_device", "cpu", "Torch device of recogniser whisper."),
        NodeParameter("language", "", "Spoken language, BCP 47; empty: the model's, or detected."),
        NodeParameter("phrases", [""], "Sentences that visitors are likely to say."),
        NodeParameter("persona_phrases", False, "They change with the persona."),
        NodeParameter("eager", True, "A turn that is one of `phrases` ends at its first pause."),
        NodeParameter(
            "interim_s", 0.3, "Sound between interim texts; 0: only in pauses [s].", 0.0, 10.0
        ),
        NodeParameter(
            "backlog_s", 20.0, "Sound that may wait for recognition; more is lost [s].", 1.0, 120.0
        ),
        NodeParameter("activity_s", 0.25, "Between reports of activity [s].", 0.05, 5.0),
    )  # fmt: skip

    def setup(self) -> None:
        settings = self._settings()
        mode, echo = self._echo_control()
        voice = SileroVoiceActivity()
        self._phrases = [phrase for phrase in self.value("phrases") if phrase]
        recogniser = self._open_recogniser()
        self._echo = echo
        self._reference = SoundIntake()
        self._activity = self.publisher(topics.SPEECH_ACTIVITY)
        self._utterance = self.publisher(topics.UTTERANCE)
        self._turns = TurnNumbers()
        self._listening = Listening(
            voice=voice,
            recogniser=recogniser,
            echo=echo,
            gate=EchoGate(margin_db=self.value("gate_margin_db")) if mode == "gate" else None,
            settings=settings,
            turn_clock=self._turns.take,
            on_heard=self._on_heard,
            on_error=self._on_recognition_error,
        )

    def start(self) -> None:
        self._turns.follow(self)
        self.listen(topics.USER_AUDIO, self._on_user_audio)
        self.listen(topics.AUDIO, self._on_avatar_audio)
        if self.value("persona_phrases"):
            self.listen(topics.PERSONA, self._on_persona)
        self.every(_LOOK_S, self._look)
        self.heartbeat.say(ready=True, detail=self._lack or "listening", trouble=bool(self._lack))

    def teardown(self) -> None:
        if listening := getattr(self, "_listening", None):
            listening.close()

    def _echo_control(self) -> tuple[EchoMode, EchoControl]:
        """What was asked for; the gate in place of a canceller that is not there."""
        mode: EchoMode = self.value("echo")
        times = {"delay_s": self.value("echo_delay_s"), "tail_s": self.value("echo_tail_s")}
        self._lack = ""
        try:
            return mode, EchoControl(mode, **times)
        except EchoCancellerError as error:
            self._lack = f"the echo is gated, not cancelled: {error}"
            self.get_logger().warning(self._lack)
            return "gate", EchoControl("gate", **times)

    def _open_recogniser(self) -> Recogniser:
        recogniser = open_recogniser(
            self.value("recogniser"),
            model=self.value("recogniser_model"),
            phrases=self._phrases,
            language=self.value("language"),
            device=self.value("recogniser_device"),
            threads=self.value("threads"),
        )
        if unknown := getattr(recogniser, "unknown_words", []):
            self.get_logger().warning(f"phrases left out for unknown words: {', '.join(unknown)}")
        return recogniser

    def _on_persona(self, msg: Persona) -> None:
        if list(msg.phrases) != self._phrases:
            self._phrases = list(msg.phrases)
            known = self._phrases if self.value("eager") else ()
            with_phrases = self.value("recogniser") in USE_PHRASES
            self._listening.expect(known, self._open_recogniser if with_phrases else None)

    def _settings(self) -> ListeningSettings:
        names = ("min_speech_s", "silence_s", "min_utterance_s", "pre_roll_s", "max_utterance_s")
        try:
            turn = TurnSettings(
                threshold=self.value("vad_threshold"),
                release=self.value("vad_release"),
                **{name: self.value(name) for name in names},
            )
        except ValueError as error:
            raise ConfigurationError(f"parameter {error}") from None
        return ListeningSettings(
            turn=turn,
            playback_threshold=self.value("vad_threshold_playback"),
            activity_s=self.value("activity_s"),
            interim_s=self.value("interim_s"),
            backlog_s=self.value("backlog_s"),
            known=self.value("phrases") if self.value("eager") else (),
        )

    def _on_user_audio(self, msg: AudioChunk) -> None:
        reports = self._listening.hear(
            stream=msg.stream,
            first_sample=msg.first_sample,
            samples=audio_from_msg(msg),
            sample_rate=msg.sample_rate,
            channels=msg.channels,
            stamp_ns=nanoseconds(msg.header.stamp),
            now_ns=self.get_clock().now().nanoseconds,
            over=msg.end_of_stream,
        )
        self.telemetry.sample("vad_ms", self._listening.vad_ms)
        self._publish(reports)

    def _on_avatar_audio(self, msg: AudioChunk) -> None:
        piece = self._reference.push(
            stream=msg.stream,
            first_sample=msg.first_sample,
            samples=audio_from_msg(msg),
            sample_rate=msg.sample_rate,
            channels=msg.channels,
            stamp_ns=nanoseconds(msg.header.stamp),
            now_ns=self.get_clock().now().nanoseconds,
            over=msg.end_of_stream,
        )
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
            msg = SpeechActivity(
                stream=report.stream,
                active=report.active,
                probability=report.probability,
                level_dbfs=report.level_dbfs,
                since_sample=report.since_sample,
                during_playback=report.during_playback,
            )
            msg.header.stamp = stamp_of(report.captured_ns)
            self._activity.publish(msg)

    def _on_heard(self, heard: Heard) -> None:
        """Called on the recognition's thread."""
        msg = Utterance(
            turn=heard.turn,
            text=heard.recognition.text,
            is_final=heard.is_final,
            confidence=heard.recognition.confidence,
            language=heard.recognition.language,
            start=stamp_of(heard.start_ns),
            end=stamp_of(heard.end_ns),
        )
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
