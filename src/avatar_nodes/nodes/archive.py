"""Records what a live avatar shows and says into rolling files, as it is asked to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rclpy.serialization import serialize_message
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from avatar_msgs.msg import AudioChunk, RecordingState
from avatar_nodes.marking.marker import marker_of
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.nodes.base.topic_tap import TopicTap
from avatar_nodes.recording.kept_topics import KeptTopics
from avatar_nodes.recording.live_recording import (
    LiveRecording,
    RecordingLimits,
    RecordingStatus,
    WireMessage,
)
from avatar_nodes.recording.mp4_writer import RecordingError
from avatar_nodes.recording.rolling_folder import RollingFolder
from avatar_nodes.recording.settings import ArchiveSettings
from avatar_nodes.recording.stamp_pairing import Pair, StampPairing
from avatar_nodes.recording.video_archive import VideoFormat
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg
from avatar_nodes.wire.definition import definition_of
from avatar_nodes.wire.image import image_from_msg, image_to_jpeg_msg
from avatar_nodes.wire.qos import offered_qos_text
from avatar_nodes.wire.stamp import nanoseconds, stamp_of

_TICK_S = 1.0
_QUEUE_S = 2
_JPEG_QUALITY = 85
_MEGABYTE = 1_000_000
_COMPRESSED_QOS = offered_qos_text([topics.IMAGE_COMPRESSED.qos])
_OWN_SOUND = (topics.AUDIO.name, topics.SPEECH_AUDIO.name)
_SHARED = (topics.DIAGNOSTICS.name, topics.LOG.name, "/tf", "/tf_static")
"""Topics outside of the namespace that belong to it as well."""


class ArchiveNode(AvatarNode[ArchiveSettings]):
    """`image_raw` and `audio` in, and for MCAP the graph's other topics; files, `recording`
    (RecordingState, latched) out; service `recording/set`.

    Nothing waits for it: it listens best effort, loses what it has no time for, and counts that.
    """

    KIND = "archive"

    def setup(self) -> None:
        fps = self.settings.fps
        video = VideoFormat(
            width=self.settings.width, height=self.settings.height, fps=fps,
            sample_rate=self.settings.sample_rate, crf=self.settings.crf,
        )  # fmt: skip
        folder = RollingFolder(
            Path(self.settings.folder).expanduser(),
            name=self.get_namespace(),
            keep_bytes=self.settings.keep_megabytes * _MEGABYTE,
            keep_files=self.settings.keep_files,
            keep_days=self.settings.keep_days,
            on_removed=self._on_removed,
        )
        limits = RecordingLimits(
            file_s=self.settings.file_minutes * 60.0,
            file_bytes=self.settings.file_megabytes * _MEGABYTE,
            free_bytes=self.settings.free_megabytes * _MEGABYTE,
            queue_frames=_QUEUE_S * fps,
        )
        marker = marker_of(self.settings)
        self._recording = LiveRecording(
            folder, video, limits, marker,
            definition_of=definition_of if self.settings.mcap else None,
            picture_message=self._picture_message,
        )  # fmt: skip
        image = self.resolve_topic_name(topics.IMAGE_RAW.name)
        self._compressed = f"{image}/{topics.IMAGE_COMPRESSED.name.rpartition('/')[2]}"
        kept = KeptTopics(
            self.get_namespace(),
            shared=_SHARED,
            own_sound=[self.resolve_topic_name(name) for name in _OWN_SOUND],
            exclude=[*self.settings.mcap_exclude, image, f"{image}/*"],
            of_visitors=self.settings.of_visitors,
        )
        self._tap = TopicTap(self, kept.keeps, self._recording.add_message)
        self._streams: list[Subscription] = []
        self._said: RecordingStatus | None = None
        self._state = self.publisher(topics.RECORDING)

    def start(self) -> None:
        self.serve(topics.SET_RECORDING, self._on_set)
        self.every(_TICK_S, self._tick)
        if self.settings.record:
            self._begin()
        self._tick()

    def stop(self) -> None:
        self._streams = []
        self._tap.forget()
        self._end()

    def teardown(self) -> None:
        """The file is completed however the node ends."""
        if recording := getattr(self, "_recording", None):
            recording.close()

    def _on_set(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        if request.data:
            problem = self._begin()
            said = f"recording {self._recording.status.file}"
        else:
            was_active, problem = self._recording.active, self._end()
            said = self._recording.status.file if was_active else "nothing was being recorded"
        response.success, response.message = not problem, problem or said
        self._tell()
        return response

    def _begin(self) -> str:
        """Start recording; returns what is wrong, or nothing."""
        if not self._recording.active:  # it may have failed a moment ago: the next look is to come
            self._follow(False)
        try:
            self._recording.start()
        except RecordingError as error:
            return str(error)
        self._follow(True)
        return ""

    def _follow(self, on: bool) -> None:
        """Listen to picture and sound, or no longer: 5 MB a second that nobody wants cost, too.

        Each time they are paired anew: what was shown between two recordings is not missing.
        """
        if on and not self._streams:
            self._pairing = StampPairing(fps=self.settings.fps)
            self._streams = [
                self.listen(topics.IMAGE_RAW, self._on_image),
                self.listen(topics.AUDIO, self._on_audio),
            ]
        elif not on:
            for stream in self._streams:
                self.ignore(stream)
            self._streams = []

    def _end(self) -> str:
        if self._recording.active:
            for pair in self._pairing.flush():
                self._recording.add(pair)
        self._follow(False)
        try:
            self._recording.stop()
        except RecordingError as error:
            return str(error)
        return ""

    def _on_image(self, msg: Image) -> None:
        stamp = nanoseconds(msg.header.stamp)
        self._record(self._pairing.add_frame(stamp, image_from_msg(msg)))

    def _on_audio(self, msg: AudioChunk) -> None:
        samples = audio_from_msg(msg, sample_rate=self.settings.sample_rate, channels=1)
        stamp = nanoseconds(msg.header.stamp)
        self._record(self._pairing.add_sound(stamp, samples, last=False))

    def _record(self, pairs: list[Pair]) -> None:
        for pair in pairs:
            self._recording.add(pair)
            self.telemetry.output()

    def _picture_message(self, frame: np.ndarray, stamp_ns: int) -> WireMessage:
        msg = image_to_jpeg_msg(frame, quality=_JPEG_QUALITY, frame_id=self.settings.frame_id)
        msg.header.stamp = stamp_of(stamp_ns)
        data = bytes(serialize_message(msg))
        kind = "sensor_msgs/msg/CompressedImage"
        return WireMessage(self._compressed, kind, data, stamp_ns, _COMPRESSED_QOS)

    def _on_removed(self, path: Path, why: str) -> None:
        """On the recording's thread."""
        self.telemetry.count("files_removed", 1)
        self.get_logger().info(f"removed {path}: {why}")

    def _tick(self) -> None:
        self._recording.look_after()
        if not self._recording.active:
            self._follow(False)
        if self.settings.mcap:
            self._tap.look()
        self._tell()

    def _tell(self) -> None:
        """RecordingState, at every change, and each second while recording."""
        status = self._recording.status
        if status.active or status != self._said:
            self._said = status
            msg = RecordingState(
                active=status.active, file=status.file, seconds=status.seconds,
                bytes=status.bytes, problem=status.problem,
            )  # fmt: skip
            msg.header.stamp = self.get_clock().now().to_msg()
            self._state.publish(msg)
        if status.problem and not status.active:
            self.heartbeat.say(ready=False, detail=f"not recording: {status.problem}", failed=True)
        else:
            doing = f"recording {status.file}" if status.active else "waiting to record"
            self.heartbeat.say(ready=True, detail=doing, failed=False)
        self.telemetry.gauge("recorded_s", status.seconds)
        self.telemetry.gauge("frames_lost", status.frames_lost)
        self.telemetry.gauge("messages_lost", status.messages_lost)


def main() -> None:
    """Run the node as a process."""
    main_of(ArchiveNode)


if __name__ == "__main__":
    main()
