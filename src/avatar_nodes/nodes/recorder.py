"""Writes what the avatar shows and says, as any subscriber would get it, into an MP4 file."""

from __future__ import annotations

import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from sensor_msgs.msg import Image

from avatar_msgs.msg import AudioChunk, AvatarState, BlockCredit
from avatar_nodes.marking.marker import marker_of
from avatar_nodes.nodes.base.lifecycle_node import EXIT_FAILED, AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.recording.mp4_writer import Mp4Writer
from avatar_nodes.recording.settings import RecorderSettings
from avatar_nodes.recording.stamp_pairing import Pair, StampPairing
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.image import image_from_msg
from avatar_nodes.wire.qos import BURST_FRAMES
from avatar_nodes.wire.stamp import nanoseconds

_TICK_S = 0.1
_PATIENCE_S = 10.0
_QUIET_S = 1.0
# What is under way when it says so comes on top.
_BEHIND = BURST_FRAMES // 4
_CAUGHT_UP = BURST_FRAMES // 8


class RecorderNode(AvatarNode[RecorderSettings]):
    """`image_raw`, `audio`, `blocks/credit` and `state` in; ends with the stream, and its process
    with it.

    A thread of its own writes, so that what arrives is taken from the subscriptions at once. The
    node is not ready while it is far behind the presenter: the conductor then issues no block, and
    no frame is lost, however slow writing is.
    """

    KIND = "recorder"

    def setup(self) -> None:
        self._marker = marker_of(self.settings)
        self._writer: Mp4Writer | None = Mp4Writer(
            self.settings.out,
            width=self.settings.width,
            height=self.settings.height,
            fps=self.settings.fps,
            sample_rate=self.settings.sample_rate,
        )
        self._pairing = StampPairing(fps=self.settings.fps)
        self._writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._taken = 0
        self._epoch = 0
        self._finished = False
        self._arrived_at = 0.0
        self._presented = 0
        self._queued = 0
        self._written = 0
        self._behind = False

    def start(self) -> None:
        self._topics = [
            self.listen(topics.IMAGE_RAW, self._on_image),
            self.listen(topics.AUDIO, self._on_audio),
        ]
        self.listen(topics.STATE, self._on_state)
        self.listen(topics.CREDIT, self._on_credit)
        self.every(_TICK_S, self._tick)
        self.heartbeat.say(detail="waiting for the presenter")

    def teardown(self) -> None:
        """The file is completed however the node ends."""
        if (writer := getattr(self, "_writer", None)) is not None:
            self._writer = None
            for pair in self._pairing.flush():
                self._write(writer, pair)
            self._writing.shutdown(wait=True)
            writer.close()
            self.get_logger().info(f"{self.settings.out}: {writer.frames} frames written")

    def _on_image(self, msg: Image) -> None:
        self._record(self._pairing.add_frame(nanoseconds(msg.header.stamp), image_from_msg(msg)))

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg, sample_rate=self.settings.sample_rate, channels=1)
        stamp = nanoseconds(msg.header.stamp)
        self._record(self._pairing.add_sound(stamp, samples, last=msg.end_of_stream))

    def _on_state(self, msg: AvatarState) -> None:
        self._epoch = msg.epoch
        if msg.state == AvatarState.FINISHED and not self._finished:
            self._finished = True
            self._arrived_at = time.monotonic()
        self._tick()

    def _on_credit(self, msg: BlockCredit) -> None:
        self._presented = msg.frames_presented
        self._tick()

    def _tick(self) -> None:
        """Ready once both topics have their publisher; in the epoch that the state tells."""
        quiet_s = time.monotonic() - self._arrived_at
        if quiet_s > _QUIET_S:  # what has not arrived by now does not wait to be written
            self._taken = max(self._taken, self._presented)
        unwritten = self._queued - self._written
        behind = unwritten + max(0, self._presented - self._taken)
        self._behind = behind > (_CAUGHT_UP if self._behind else _BEHIND)
        matched = all(self.count_publishers(topic.topic_name) for topic in self._topics)
        ready = matched and self._epoch > 0 and not self._behind
        detail = "recording" if matched else "waiting for the presenter"
        detail = "catching up" if self._behind else detail
        self.heartbeat.say(ready=ready, epoch=self._epoch, detail=detail)
        if self._finished and quiet_s > _PATIENCE_S and self.exit_code is None:
            self.get_logger().error("the stream has ended, but its last frame did not arrive")
            self._finish(EXIT_FAILED)

    def _record(self, pairs: list[Pair]) -> None:
        self._arrived_at = time.monotonic()
        for pair in pairs:
            self._taken += 1 + pair.missing
            if self._writer is None:
                return
            self._write(self._writer, pair)
            if pair.last:
                self._finish(0)
        self.telemetry.gauge("queue_depth", self._pairing.waiting)

    def _write(self, writer: Mp4Writer, pair: Pair) -> None:
        if pair.missing:
            self.telemetry.count("frames_missing", pair.missing)
            self.get_logger().warning(f"{pair.missing} frames did not arrive")
        self._queued += 1
        self._writing.submit(self._encode, writer, pair)

    def _encode(self, writer: Mp4Writer, pair: Pair) -> None:
        """On the writer's thread."""
        try:
            with self.telemetry.timed("write_ms"):
                writer.write_frame(self._marker.mark(pair.frame))
                writer.write_sound(pair.sound)
            self.telemetry.output()
        except Exception:
            self.telemetry.rejected("internal")
            self.get_logger().error(traceback.format_exc())
        self._written += 1

    def _finish(self, code: int) -> None:
        self.teardown()
        self.exit_code = code


def main() -> None:
    """Run the node as a process."""
    main_of(RecorderNode)


if __name__ == "__main__":
    main()
