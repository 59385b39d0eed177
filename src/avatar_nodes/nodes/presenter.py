"""One media clock: every frame leaves with exactly its sound."""

from __future__ import annotations

import threading
import traceback
import uuid

from avatar_msgs.msg import BlockConditioning, BlockCredit, EpochStart, FrameBlock, TurnControl
from avatar_nodes.marking.marker import marker_of
from avatar_nodes.nodes.base.lifecycle_node import EXIT_FAILED, AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.presenting.media_clock import MediaClock
from avatar_nodes.presenting.presentation import Presentation, Slot
from avatar_nodes.presenting.settings import PresenterSettings
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg, audio_to_msg
from avatar_nodes.wire.camera import camera_info
from avatar_nodes.wire.frames import frames_from_msg
from avatar_nodes.wire.image import image_to_jpeg_msg, image_to_msg
from avatar_nodes.wire.limits import block_number, check_epoch_numbers, epoch_number
from avatar_nodes.wire.stamp import stamp_of

_IDLE_S = 0.5
_LOOK_FOR_READERS_S = 0.05


class PresenterNode(AvatarNode[PresenterSettings]):
    """`blocks/frames` and the sound of `blocks/conditioning` in; `image_raw`, `camera_info`,
    `image_raw/compressed` and `audio` out, one message of each a frame; `blocks/credit` back."""

    KIND = "presenter"

    def setup(self) -> None:
        fps, rate = self.settings.fps, self.settings.sample_rate
        self._realtime = self.settings.pace == "realtime"
        self._stream = uuid.uuid4().hex
        self._samples_per_frame = rate // fps
        self._marker = marker_of(self.settings)
        self._presentation: Presentation[BlockConditioning] = Presentation(
            samples_per_frame=self._samples_per_frame
        )
        self._media = MediaClock(fps=fps, ahead_s=self.settings.margin_s + 1.0)
        self._changed = threading.Condition()
        self._player: threading.Thread | None = None
        self._image = self.publisher(topics.IMAGE_RAW)
        self._jpeg = self.publisher(topics.IMAGE_COMPRESSED)
        self._camera = self.publisher(topics.CAMERA_INFO)
        self._audio = self.publisher(topics.AUDIO)
        self._credit = self.publisher(topics.CREDIT)
        self._ledger = self.publisher(topics.PRESENTED)
        self._camera_info = camera_info(
            width=self.settings.width, height=self.settings.height, frame_id=self.settings.frame_id
        )

    def adapt(self, before: PresenterSettings) -> None:
        self._marker = marker_of(self.settings)

    def start(self) -> None:
        self.listen(topics.EPOCH, self._on_epoch)
        self.listen(topics.CONDITIONING, self._on_conditioning)
        self.listen(topics.FRAMES, self._on_frames)
        self.listen(topics.TURN_CONTROL, self._on_control)
        self._playing = True
        if self._realtime:
            self._player = threading.Thread(target=self._play, name="media clock", daemon=True)
            self._player.start()
        self.heartbeat.say(detail="waiting for an epoch")
        if self.settings.readers:
            self.every(_LOOK_FOR_READERS_S, self._tell_condition)

    def stop(self) -> None:
        if self._player is not None:
            with self._changed:
                self._playing = False
                self._changed.notify()
            self._player.join()
            self._player = None

    def _on_epoch(self, msg: EpochStart) -> None:
        check_epoch_numbers(msg)
        if not self.takes_part(msg):
            return
        with self._changed:
            if self._presentation.start_epoch(msg.epoch, msg.first_block):
                self._send_credit()
                self._tell_condition()

    def _tell_condition(self) -> None:
        """Ready in its epoch, once all who must not miss a frame are matched."""
        epoch = self._presentation.epoch
        if not epoch:
            return
        outputs, wanted = (self._image, self._audio), self.settings.readers
        matched = all(output.get_subscription_count() >= wanted for output in outputs)
        detail = "presenting" if matched else "waiting for its readers"
        self.hold_epoch(epoch, detail, ready=matched)

    def _on_frames(self, msg: FrameBlock) -> None:
        self.note_hop(msg.header.stamp)
        frames = frames_from_msg(msg, height=self.settings.height, width=self.settings.width)
        with self._changed:
            known = self._presentation.playable_block
            taken = self._presentation.add_frames(
                msg.epoch, msg.block, frames, first=msg.first_frame, total=msg.block_frames
            )
            self._came(known, taken)

    def _on_conditioning(self, msg: BlockConditioning) -> None:
        epoch_number(msg.epoch)
        block_number(msg.block)
        samples = audio_from_msg(msg.sound, sample_rate=self.settings.sample_rate, channels=1)
        last = msg.sound.end_of_stream
        with self._changed:
            known = self._presentation.playable_block
            taken = self._presentation.add_sound(msg.epoch, msg.block, samples, last=last, tag=msg)
            self._came(known, taken)

    def _on_control(self, msg: TurnControl) -> None:
        """A reply is cut short: it falls silent with the next frame; the pictures under way stay,
        since there are no others yet."""
        if msg.command != TurnControl.RESUME:
            with self._changed:
                self._presentation.mute(block_number(msg.first_block))

    def _came(self, known: int, taken: list[BlockConditioning]) -> None:
        """Something of a block came, and completed the blocks `taken`: leave a trace of these for a
        conductor to come, play, tell the conductor of what is new since block `known` was playable.
        """
        for block in taken:
            self._ledger.publish(block)
        playable = self._presentation.playable_block
        if playable > known and not self._media.started:
            delay = self.settings.margin_s if self._realtime else 0.0
            self._media.start(self.get_clock().now().nanoseconds + round(delay * 1e9))
        if self._realtime:
            self._changed.notify()
        elif self._media.started:
            while (slot := self._presentation.next_slot()) is not None:
                self._present(slot, self._media.release())
        if taken or playable > known:
            self._send_credit()

    def _play(self) -> None:
        """The thread of the media clock; without it the node is of no use."""
        try:
            self._keep_time()
        except Exception:
            self.telemetry.rejected("internal")
            self.get_logger().fatal(traceback.format_exc())
            self.exit_code = EXIT_FAILED

    def _keep_time(self) -> None:
        with self._changed:
            while self._playing:
                wait_s = _IDLE_S
                if self._media.started:
                    now = self.get_clock().now().nanoseconds
                    if moved := self._media.catch_up(now):
                        self.telemetry.count("clock_moved_ms", abs(moved) // 1_000_000)
                    wait_s = (self._media.stamp_ns() - now) / 1e9
                    if wait_s <= 0.0:
                        self._play_slot()
                        continue
                self._changed.wait(min(wait_s, _IDLE_S))

    def _play_slot(self) -> None:
        slot = self._presentation.next_slot() or self._presentation.hold()
        stamp = self._media.release()
        if slot is not None:
            self._present(slot, stamp)
            if slot.first:
                self._send_credit()

    def _present(self, slot: Slot, stamp_ns: int) -> None:
        stamp, frame_id = stamp_of(stamp_ns), self.settings.frame_id
        # Marked here, and only here: once for both image topics, with nothing after it.
        frame = self._marker.mark(slot.frame)
        image = image_to_msg(frame, frame_id=frame_id)
        sound = audio_to_msg(
            slot.sound,
            stream=self._stream,
            sample_rate=self.settings.sample_rate,
            first_sample=(self._media.slot - 1) * self._samples_per_frame,
            end_of_stream=slot.last,
        )
        image.header.stamp = sound.header.stamp = self._camera_info.header.stamp = stamp
        sound.header.frame_id = frame_id
        self._image.publish(image)
        self._audio.publish(sound)
        self._camera.publish(self._camera_info)
        if self._jpeg.get_subscription_count():
            jpeg = image_to_jpeg_msg(frame, quality=self.settings.jpeg_quality, frame_id=frame_id)
            jpeg.header.stamp = stamp
            self._jpeg.publish(jpeg)
        self._measure()

    def _measure(self) -> None:
        shown = self._presentation
        late_ms = (self.get_clock().now().nanoseconds - self._media.stamp_ns(-1)) / 1e6
        self.telemetry.output()
        self.telemetry.sample("release_late_ms", late_ms if self._realtime else 0.0)
        self.telemetry.gauge("frames_presented", shown.presented)
        self.telemetry.gauge("frames_held", shown.held)
        self.telemetry.gauge("queue_depth", shown.waiting_blocks)
        video_s = (shown.presented + shown.held) / self.settings.fps
        audio_s = self._media.slot * self._samples_per_frame / self.settings.sample_rate
        self.telemetry.gauge("av_offset_ms", (audio_s - video_s) * 1000.0)

    def _send_credit(self) -> None:
        shown = self._presentation
        self.gave_out(shown.taken_block)
        credit = BlockCredit(
            epoch=shown.epoch,
            presented_block=shown.taken_block,
            playable_block=shown.playable_block,
            queue_depth=shown.waiting_blocks,
            frames_presented=shown.presented,
        )
        credit.header.stamp = self.get_clock().now().to_msg()
        if self._realtime and self._media.started:
            credit.next_due = stamp_of(self._media.stamp_ns(shown.waiting_frames))
        self._credit.publish(credit)


def main() -> None:
    """Run the node as a process."""
    main_of(PresenterNode)


if __name__ == "__main__":
    main()
