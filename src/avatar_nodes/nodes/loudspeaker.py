"""Plays what the avatar says on a sound device, in step with its pictures."""

from __future__ import annotations

from avatar_msgs.msg import AudioChunk, TurnControl
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.sound.device_sink import DeviceSink
from avatar_nodes.sound.loudness import louder
from avatar_nodes.sound.playback import Playback
from avatar_nodes.sound.settings import LoudspeakerSettings
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.stamp import nanoseconds

_TICK_S = 0.25
_UNDER_WAY_NS = 80_000_000
"""Two frames: what the presenter may have released before it heard of a cut."""


class LoudspeakerNode(AvatarNode[LoudspeakerSettings]):
    """`audio` and `turn/control` in, sound out. A sample is heard `delay_s` after its stamp, which
    is when its picture leaves on `image_raw`."""

    KIND = "loudspeaker"

    def setup(self) -> None:
        rate = self.settings.sample_rate
        self._playback = Playback(sample_rate=rate, delay_s=self.settings.delay_s)
        self._problem = ""
        self._sink = DeviceSink(
            self._playback,
            self.settings.device,
            sample_rate=rate,
            now_ns=lambda: self.get_clock().now().nanoseconds,
        )

    def start(self) -> None:
        self.listen(topics.AUDIO, self._on_audio)
        self.listen(topics.TURN_CONTROL, self._on_control)
        self.every(_TICK_S, self._tick)
        self.heartbeat.say(ready=True, detail="playing")

    def teardown(self) -> None:
        if sink := getattr(self, "_sink", None):
            sink.close()

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg, sample_rate=self.settings.sample_rate, channels=1)
        self._playback.add(nanoseconds(msg.header.stamp), louder(samples, self.settings.volume))
        self.telemetry.output()

    def _on_control(self, msg: TurnControl) -> None:
        """A reply is cut short: nothing of it is heard any more."""
        if msg.command != TurnControl.RESUME and msg.first_block:
            now_ns = self.get_clock().now().nanoseconds
            self._playback.cut(now_ns + _UNDER_WAY_NS)
            self.telemetry.count("cut")

    def _tick(self) -> None:
        problem = self._sink.problem
        if problem != self._problem:
            if bool(problem) != bool(self._problem):
                self.get_logger().warning(problem or "the sound device is back")
            self._problem = problem
            self.heartbeat.say(ready=not problem, detail=problem or "playing")
        playback = self._playback
        self.telemetry.gauge("waiting_ms", playback.waiting_s * 1e3)
        self.telemetry.gauge("early_ms", playback.error_s * 1e3)
        self.telemetry.gauge("underruns", playback.underruns)
        self.telemetry.gauge("jumps", playback.jumps)
        self.telemetry.gauge("corrected_samples", playback.corrected)
        self.telemetry.gauge("overflowed_samples", playback.overflowed)
        self.telemetry.gauge("reopened", self._sink.reopened)


def main() -> None:
    """Run the node as a process."""
    main_of(LoudspeakerNode)


if __name__ == "__main__":
    main()
