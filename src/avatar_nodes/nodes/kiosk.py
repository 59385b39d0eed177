"""The web page of the avatar, as a node: topics on one side, browsers on the other."""

from __future__ import annotations

import os
import time

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rcl_interfaces.msg import Log
from sensor_msgs.msg import Image

from avatar_msgs.msg import (
    AudioChunk,
    AvatarState,
    BlockCredit,
    Persona,
    RecordingState,
    ReplySegment,
    TurnTimeline,
    Utterance,
)
from avatar_nodes.marking.marker import marker_of
from avatar_nodes.nodes.base.kiosk_desk import KioskDesk
from avatar_nodes.nodes.base.lifecycle_node import EXIT_FAILED, AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.turns import follow_turns
from avatar_nodes.profile.secrets import (
    OPERATOR_TOKEN,
    TURN_CREDENTIAL,
    TURN_USER,
    VISITOR_TOKEN,
)
from avatar_nodes.recording.stamp_pairing import Pair, StampPairing
from avatar_nodes.text.words import has_words
from avatar_nodes.web.server import WebServer
from avatar_nodes.web.settings import KioskSettings
from avatar_nodes.web.state_timing import StateTiming
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.health import health_from_msg
from avatar_nodes.wire.image import image_from_msg
from avatar_nodes.wire.stamp import nanoseconds

_LOOK_S = 1.0
_PATIENCE_PAIRS = 3
"""A frame without its sound holds the others back no longer than this: it is live."""
_STATES = ("idle", "listening", "thinking", "speaking", "rendering", "finished")
_LOG_LEVELS = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "fatal"}


class KioskNode(AvatarNode[KioskSettings]):
    """`image_raw`, `audio`, `state`, `blocks/credit`, `user/utterance`, `reply`, `persona`,
    `intent`, `turn_timeline`, `recording`, `health`, `/diagnostics` and `/rosout` in; what browsers
    hear on `audio_in`, what visitors write on `user/utterance` out. Operators' orders become
    service calls and actions.

    The tokens of visitors and operators come from the environment (AVATAR_KIOSK_TOKEN,
    AVATAR_OPERATOR_TOKEN), since everybody in the ROS network reads parameters; so do user and
    credential of TURN servers (AVATAR_TURN_USER, AVATAR_TURN_CREDENTIAL).
    """

    KIND = "kiosk"

    def setup(self) -> None:
        self._pairing = StampPairing(fps=self.settings.fps, patience=_PATIENCE_PAIRS)
        marker = marker_of(self.settings)
        self._timing = StateTiming(block_s=self.settings.block_frames / self.settings.fps)
        self._recorded = False
        self._desk = KioskDesk(self)
        self._server = WebServer(
            self.settings,
            self._desk,
            marker.mark,
            visitor_token=os.environ.get(VISITOR_TOKEN, ""),
            operator_token=os.environ.get(OPERATOR_TOKEN, ""),
            turn_user=os.environ.get(TURN_USER, ""),
            turn_credential=os.environ.get(TURN_CREDENTIAL, ""),
            warn=self.get_logger().warning,
        )
        self._server.start()
        self.get_logger().info(f"the page is at {self._server.url}")

    def start(self) -> None:
        self.listen(topics.IMAGE_RAW, self._on_image)
        self.listen(topics.AUDIO, self._on_audio)
        self.listen(topics.STATE, self._on_state)
        self.listen(topics.CREDIT, self._on_credit)
        self.listen(topics.UTTERANCE, self._on_utterance)
        self.listen(topics.REPLY, self._on_reply)
        self.listen(topics.PERSONA, self._on_persona)
        self.listen(topics.TURN_TIMELINE, self._on_timeline)
        self.listen(topics.RECORDING, self._on_recording)
        self.listen(topics.DIAGNOSTICS, self._on_diagnostics)
        self.listen(topics.HEALTH, self._on_health)
        self.listen(topics.LOG, self._on_log)
        follow_turns(self, self._desk.turns)
        self.every(_LOOK_S, self._look)
        self.heartbeat.say(ready=True, detail=f"the page is at {self._server.url}")

    def teardown(self) -> None:
        if server := getattr(self, "_server", None):
            server.close()
        if desk := getattr(self, "_desk", None):
            desk.close()

    def _on_image(self, msg: Image) -> None:
        self._show(self._pairing.add_frame(nanoseconds(msg.header.stamp), image_from_msg(msg)))

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg, sample_rate=self.settings.sample_rate, channels=1)
        stamp = nanoseconds(msg.header.stamp)
        self._show(self._pairing.add_sound(stamp, samples, last=msg.end_of_stream))

    def _show(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            self._server.show(pair.stamp_ns, pair.frame, pair.sound)
            self.telemetry.count("frames_missing", pair.missing)
            self.telemetry.output()

    def _on_state(self, msg: AvatarState) -> None:
        name = _STATES[msg.state] if msg.state < len(_STATES) else ""
        now_s = self.get_clock().now().nanoseconds / 1e9
        self._server.tell_state(
            {"type": "state", "state": name, "prompt": msg.prompt, "block": msg.block,
             "turn": msg.turn, "epoch": msg.epoch, "reason": msg.reason},
            in_s=self._timing.in_s(name, block=msg.block, now_s=now_s),
        )  # fmt: skip

    def _on_credit(self, msg: BlockCredit) -> None:
        self._timing.note(block=msg.playable_block + 1, due_s=nanoseconds(msg.next_due) / 1e9)

    def _on_utterance(self, msg: Utterance) -> None:
        # What has no turn will have one; what was written here the page has shown already.
        if msg.turn and not self._desk.wrote(msg.turn):
            self._caption("visitor", msg.turn, msg.text, final=msg.is_final)

    def _on_reply(self, msg: ReplySegment) -> None:
        if msg.cancelled:
            self._server.tell({"type": "caption", "who": "avatar", "turn": msg.turn, "cut": True})
        elif has_words(msg.text):
            self._caption("avatar", msg.turn, msg.text, final=msg.is_last, index=msg.index)

    def _caption(self, who: str, turn: int, text: str, *, final: bool, index: int = 0) -> None:
        self._server.tell(
            {"type": "caption", "who": who, "turn": turn, "text": text, "final": final,
             "index": index}
        )  # fmt: skip

    def _on_persona(self, msg: Persona) -> None:
        self._server.tell({"type": "persona", "persona": msg.persona, "name": msg.name})

    def _on_timeline(self, msg: TurnTimeline) -> None:
        if msg.over and nanoseconds(msg.speech_ended):
            ended = nanoseconds(msg.speech_ended)
            marks = {"sound": msg.first_sound, "frame": msg.first_frame}
            after = {k: (nanoseconds(v) - ended) / 1e9 for k, v in marks.items() if nanoseconds(v)}
            self._server.tell({"type": "turn", "turn": msg.turn, **after})

    def _on_recording(self, msg: RecordingState) -> None:
        self._server.tell(
            {"type": "recording", "active": msg.active, "file": msg.file, "seconds": msg.seconds,
             "bytes": msg.bytes, "problem": msg.problem}
        )  # fmt: skip
        if msg.active != self._recorded:  # visitors are told that, and no file
            self._recorded = msg.active
            self._server.tell({"type": "recorded", "on": msg.active})

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        inside = f"{self.get_namespace().rstrip('/')}/"
        for status in msg.status:
            if status.name.startswith(inside):
                values = {item.key: item.value for item in status.values}
                level = status.level[0] if isinstance(status.level, bytes) else int(status.level)
                self._server.tell(
                    {"type": "figures", "node": status.name.removeprefix(inside), "level": level,
                     "message": status.message, "values": values}
                )  # fmt: skip

    def _on_health(self, msg: DiagnosticStatus) -> None:
        self._server.tell_health(msg.hardware_id, health_from_msg(msg))

    def _on_log(self, msg: Log) -> None:
        inside = self.get_namespace().strip("/").replace("/", ".") + "."
        if msg.name.startswith(inside):  # and not of /avatar2
            level = _LOG_LEVELS.get(msg.level, "info")
            name = msg.name.removeprefix(inside)
            line = {"type": "log", "level": level, "node": name, "text": msg.msg[:500]}
            self._server.tell({**line, "time": time.time()})

    def _look(self) -> None:
        if not self._server.alive:
            self.get_logger().fatal("the web server has ended by itself")
            self.exit_code = EXIT_FAILED
        self.telemetry.gauge("viewers", self._server.viewers)
        self.telemetry.gauge("viewers_refused", self._server.refused)
        self.telemetry.gauge("pairs_given_up", self._pairing.given_up)


def main() -> None:
    """Run the node as a process."""
    main_of(KioskNode)


if __name__ == "__main__":
    main()
