"""Converses by way of a speech-to-speech server: in the place of listener, reasoner and voice."""

from __future__ import annotations

import os

import numpy as np
from std_srvs.srv import Trigger

from avatar_msgs.msg import (
    AudioChunk,
    AudioDemand,
    AvatarState,
    Intent,
    ReplySegment,
    TurnControl,
    Utterance,
)
from avatar_nodes.conducting.turn_numbers import TurnNumbers
from avatar_nodes.errors.refused_error import RefusedError
from avatar_nodes.hearing.echo.echo import level_db, open_echo_control
from avatar_nodes.hearing.echo.gate import EchoGate
from avatar_nodes.hearing.echo.microphone import CleanMicrophone
from avatar_nodes.hearing.listening import Activity
from avatar_nodes.hearing.sound_intake import SoundIntake, SoundPiece
from avatar_nodes.mind.persona_file import load_persona
from avatar_nodes.mind.reply import Segment
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turns import check_turn
from avatar_nodes.realtime.client_events import ClientEvent
from avatar_nodes.realtime.connection import Opened, RealtimeConnection
from avatar_nodes.realtime.instructions import instructions_of
from avatar_nodes.realtime.server_events import ServerEventError
from avatar_nodes.realtime.session import RealtimeSession
from avatar_nodes.realtime.settings import RealtimeSettings
from avatar_nodes.realtime.user_turns import UserTurn
from avatar_nodes.text.words import has_words
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import check_demand
from avatar_nodes.wire.hearing import activity_to_msg, chunk_from_msg, utterance_to_msg
from avatar_nodes.wire.limits import text_of
from avatar_nodes.wire.persona import persona_to_msg
from avatar_nodes.wire.reply import segment_to_msg, speech_to_msg
from avatar_nodes.wire.stamp import stamp_of

_POLL_S, _LOOK_S = 0.02, 0.25


class RealtimeNode(AvatarNode[RealtimeSettings]):
    """`user/audio`, `audio`, `state`, `speech/demand`, `turn/control`, what is written
    (`user/utterance`) and what the avatar is to say on its own (`reply`) in;
    `user/speech_activity`, `user/utterance`, `intent`, `reply`, `speech/audio` and `persona` out;
    services `reasoner/forget` and `reasoner/reset`."""

    KIND = "realtime"

    def setup(self) -> None:
        settings = self.settings
        self._persona = load_persona(settings.persona)
        self._turns = TurnNumbers()
        mode, echo, lack = open_echo_control(
            settings.echo, delay_s=settings.echo_delay_s, tail_s=settings.echo_tail_s
        )
        if lack:
            self.get_logger().warning(lack)
        gate = EchoGate(margin_db=settings.gate_margin_db) if mode == "gate" else None
        self._microphone = CleanMicrophone(echo, gate)
        self._intake, self._reference = SoundIntake(), SoundIntake()
        self._level_db = level_db(np.zeros(0, np.int16))
        self._state = AvatarState()
        self._own: list[str] = []
        self._written = 0
        """The newest turn that was written."""
        self._complaint = ""
        self._activity_out = self.publisher(topics.SPEECH_ACTIVITY)
        self._utterance_out = self.publisher(topics.UTTERANCE)
        self._intent_out = self.publisher(topics.INTENT)
        self._reply_out = self.publisher(topics.REPLY)
        self._audio_out = self.publisher(topics.SPEECH_AUDIO)
        self._persona_out = self.publisher(topics.PERSONA)

    def start(self) -> None:
        self._session = RealtimeSession(
            self.settings, self, instructions=instructions_of(self._persona),
            language=self._persona.language, number=self._turns.take,
        )  # fmt: skip
        self._connection = RealtimeConnection(
            self.settings.url, model=self.settings.model, timeout_s=self.settings.timeout_s,
            api_key=os.environ.get(self.settings.api_key_env, ""),
        )  # fmt: skip
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.listen(topics.STATE, self._on_state)
        self.listen(topics.UTTERANCE, self._on_utterance)
        self.listen(topics.REPLY, self._on_reply)
        self.listen(topics.SPEECH_DEMAND, self._on_demand)
        self.listen(topics.AUDIO, self._on_avatar_audio)
        self.listen(topics.USER_AUDIO, self._on_user_audio)
        self.serve(topics.FORGET, self._on_forget)
        self.serve(topics.RESET_REASONER, self._on_forget)
        self._persona_out.publish(persona_to_msg(self.settings.persona, self._persona))
        self.every(_POLL_S, self._poll)
        self.every(_LOOK_S, self._look)
        self.heartbeat.say(ready=True, detail=f"connecting to {self.settings.url}")

    def stop(self) -> None:
        if connection := getattr(self, "_connection", None):
            connection.close()

    def send(self, event: ClientEvent) -> None:
        """SessionOutput: to the server."""
        self._connection.send(event)

    def renew(self) -> None:
        """SessionOutput: another session of the server."""
        self._connection.renew()

    def activity(self, turn: UserTurn) -> None:
        """SessionOutput: whether the visitor speaks."""
        at_ns = turn.start_ns if turn.speaking else turn.end_ns
        activity = Activity(
            stream=self._intake.stream,
            active=turn.speaking,
            probability=float(turn.speaking),
            level_dbfs=self._level_db,
            since_sample=self._intake.source_sample(self._intake.sample_captured_at(at_ns)),
            captured_ns=max(at_ns, 0),
            during_playback=bool(self._state.replying),
        )
        msg = activity_to_msg(activity)
        msg.header.stamp = stamp_of(activity.captured_ns)
        self._activity_out.publish(msg)

    def utterance(self, turn: UserTurn, *, is_final: bool) -> None:
        """SessionOutput: what the visitor said."""
        msg = utterance_to_msg(
            turn.turn, turn.text, is_final=is_final, start_ns=turn.start_ns, end_ns=turn.end_ns,
            language=self._persona.language,
        )  # fmt: skip
        msg.header.stamp = self.get_clock().now().to_msg()
        self._utterance_out.publish(msg)
        if is_final:
            self.telemetry.count("turns")

    def answer(self, turn: int) -> None:
        """SessionOutput: the answer to a turn begins."""
        msg = Intent(turn=turn)
        msg.header.stamp = self.get_clock().now().to_msg()
        self._intent_out.publish(msg)

    def speak(self, segment: Segment) -> None:
        """SessionOutput: a sentence of an answer."""
        msg = segment_to_msg(segment, language=self._persona.language)
        msg.header.stamp = self.get_clock().now().to_msg()
        self._reply_out.publish(msg)

    def complain(self, line: str) -> None:
        """SessionOutput: what went wrong."""
        self.telemetry.count("failures")
        if line != self._complaint:
            self.get_logger().warning(line)
        self._complaint = line
        self.heartbeat.say(trouble=True, detail=line)

    def _poll(self) -> None:
        now_ns = self.get_clock().now().nanoseconds
        for news in self._connection.news():
            try:
                self._session.news(news, now_ns)
            except ServerEventError as error:
                self.telemetry.rejected("server")
                self.get_logger().debug(f"the server: {error}")
            if isinstance(news, Opened):
                self._complaint = ""
                self.get_logger().info(f"connected to {self.settings.url}")
                self.heartbeat.say(trouble=False, detail=f"connected to {self.settings.url}")
        self._send_speech()

    def _send_speech(self) -> None:
        for sent in self._session.poll():
            msg = speech_to_msg(sent, sample_rate=self.settings.sample_rate)
            msg.header.stamp = self.get_clock().now().to_msg()
            msg.header.frame_id = self.KIND
            self._audio_out.publish(msg)
            self.telemetry.output()
            if first_sound_s := sent.first_sound_s:
                self.telemetry.sample("first_sound_ms", first_sound_s * 1000.0)

    def _look(self) -> None:
        self._session.tick()
        if (turn := self._session.speaking) is not None:
            self.activity(turn)
        self.telemetry.gauge("connected", float(self._session.connected))
        self.telemetry.gauge("held", float(self._session.held))
        self.telemetry.gauge("dropped", self._connection.dropped)

    def _on_user_audio(self, msg: AudioChunk) -> None:
        piece = self._piece(self._intake, msg)
        if piece is None:
            return
        samples, first = self._microphone.hear(piece, visitor=self._session.speaking is not None)
        self._level_db = level_db(samples)
        if self._state.replying and not self.settings.barge_in:
            samples = np.zeros_like(samples)  # the server hears nobody
        if len(samples):
            self._session.hear(samples, self._intake.captured_ns(first))

    def _on_avatar_audio(self, msg: AudioChunk) -> None:
        piece = self._piece(self._reference, msg)
        if piece is not None:
            self._microphone.play(piece)
            self._session.played(piece.samples)

    def _piece(self, intake: SoundIntake, msg: AudioChunk) -> SoundPiece | None:
        return intake.push(chunk_from_msg(msg), now_ns=self.get_clock().now().nanoseconds)

    def _on_demand(self, msg: AudioDemand) -> None:
        check_demand(msg)
        self._session.demand(msg.stream, msg.next_sample, msg.limit_sample)
        self._send_speech()

    def _on_control(self, msg: TurnControl) -> None:
        check_turn(msg.turn)
        if msg.command == TurnControl.PAUSE:
            self._session.pause(msg.turn)
        elif msg.command == TurnControl.RESUME:
            self._session.resume(msg.turn)
        elif msg.command == TurnControl.CANCEL:
            self._session.cancel(msg.turn)
        else:
            raise RefusedError("command", f"unknown command {msg.command}")
        self._send_speech()

    def _on_state(self, msg: AvatarState) -> None:
        self._turns.hear(msg.turn)
        self._state = msg

    def _on_utterance(self, msg: Utterance) -> None:
        """What a visitor has written; what he said is the server's to know."""
        self._turns.hear(msg.turn)
        text = text_of(msg.text)
        if not msg.is_final or self._session.knows(msg.turn) or not has_words(text):
            return
        if msg.turn <= self._written:  # told again, or not numbered yet
            return
        self._written = msg.turn
        if self._state.replying and self._state.turn != msg.turn and not self.settings.barge_in:
            self.telemetry.count("overheard")
        else:
            self._session.write(msg.turn, text)

    def _on_reply(self, msg: ReplySegment) -> None:
        """What the conductor lets the avatar say on its own."""
        if msg.turn or msg.cancelled:
            return
        self._own = [*(self._own if msg.index else ()), text_of(msg.text)]
        if msg.is_last:
            self._session.write(0, " ".join(self._own))

    def _on_forget(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self._session.forget()
        response.success, response.message = True, "the dialogue is forgotten"
        return response


def main() -> None:
    """Run the node as a process."""
    main_of(RealtimeNode)


if __name__ == "__main__":
    main()
