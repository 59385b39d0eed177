"""Clean latents into frames; the reference picture, and then the stream's own start, into the
sink."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from rclpy.task import Future

from avatar_msgs.msg import EpochStart, LatentBlock
from avatar_msgs.srv import SetReference
from avatar_nodes.decoding.build import build_decoder
from avatar_nodes.decoding.decoder import reference_sink
from avatar_nodes.decoding.decoder_stage import DecoderStage
from avatar_nodes.decoding.reference_picture import (
    ReferencePictureError,
    framed_reference,
    listed_picture,
    read_picture_file,
    worker_picture,
)
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.model.read_config import read_config
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import epoch_from_msg, latent_from_msg, sink_to_msg
from avatar_nodes.wire.frames import frames_to_msg


class DecoderNode(AvatarNode[DecoderSettings]):
    """`latent_in` in, `blocks/frames` and `sink` out."""

    KIND = "decoder"

    def setup(self) -> None:
        settings = self.settings
        torch.set_num_threads(settings.threads)
        size = (settings.width, settings.height)
        decoder = build_decoder(settings)
        reference = framed_reference(
            settings.reference, width=size[0], height=size[1], needs_face=False
        )
        self.get_logger().info(f"reference picture {settings.reference}: {reference.said}")
        config = read_config(settings.checkpoint, size=size)
        self._decoder = decoder
        self._block_frames = config.timing.frames_per_block
        self._reference = reference_sink(decoder, reference.pixels)
        if decoder.looks_at_reference:  # for a sink that comes without its picture
            decoder.look_at(reference.pixels)
        self._stage = DecoderStage(
            decoder, latent_shape=config.block_shape, video_size=(settings.height, settings.width)
        )
        self._reading: Future[Any] | None = None
        """Of a picture that somebody has sent."""
        self._sinks = self.publisher(topics.SINK)
        self._frames = self.publisher(topics.FRAMES)

    def start(self) -> None:
        self._sinks.publish(sink_to_msg(self._reference))
        self.listen(topics.EPOCH, self._on_epoch)
        self.listen(topics.LATENT_IN, self._on_latent)
        self.serve(topics.SET_REFERENCE, self._on_set_reference)
        self.heartbeat.say(detail="waiting for an epoch")

    async def _on_set_reference(
        self, request: SetReference.Request, response: SetReference.Response
    ) -> SetReference.Response:
        """Another person: the conductor begins a new stream when it hears of the sink."""
        response.width, response.height = self.settings.width, self.settings.height
        if self._reading is not None:
            response.message = "another picture is being read: ask again when it is there"
            return response
        self._reading = Future(executor=self.executor)
        read = partial(self._read_picture, self._reading, request)
        threading.Thread(target=read, name="reference", daemon=True).start()
        try:
            picture: Any = await self._reading  # a FramedPicture
        except ReferencePictureError as error:
            response.message = str(error)
            return response
        finally:
            self._reading = None
        self._reference = reference_sink(self._decoder, picture.pixels)
        msg = sink_to_msg(self._reference)
        msg.replaces = True
        self._sinks.publish(msg)
        response.success, response.message = True, picture.said
        return response

    def _read_picture(self, done: Future[Any], request: SetReference.Request) -> None:
        """On a thread of its own: blocks are decoded meanwhile."""
        try:
            data = bytes(request.image) or read_picture_file(
                listed_picture(request.path, self.settings.reference)
            )
            size = {"width": self.settings.width, "height": self.settings.height}
            needs_face = request.framing != SetReference.Request.MIDDLE
            done.set_result(worker_picture(data, **size, needs_face=needs_face))
        except Exception as error:
            done.set_exception(error)

    def _on_epoch(self, msg: EpochStart) -> None:
        if not self.takes_part(msg):
            return
        start = epoch_from_msg(msg)
        with self.telemetry.timed("rebuild_ms"):
            self._stage.start_epoch(start)
        if start.sink is not None and start.sink.version > 0:
            # For a conductor that starts anew; the stages have it from the epoch.
            self._sinks.publish(sink_to_msg(replace(start.sink, epoch=0)))
        self.gave_out(start.first_block - 1)
        self.hold_epoch(start.epoch, "decoding")

    def _on_latent(self, msg: LatentBlock) -> None:
        self.note_hop(msg.header.stamp)
        block = latent_from_msg(msg)
        sink = self._stage.sink_of(block)
        if sink is not None:
            self._sinks.publish(sink_to_msg(sink))
        made = 0
        with self.telemetry.timed("stage_ms"):
            for frames in self._stage.decode(block):
                out = frames_to_msg(
                    frames, epoch=block.epoch, block=block.block,
                    first_frame=made, block_frames=self._block_frames,
                )  # fmt: skip
                out.header.stamp = self.get_clock().now().to_msg()
                self._frames.publish(out)
                made += len(frames)
        self.gave_out(block.block)
        self.telemetry.output(made)


def main() -> None:
    """Run the node as a process."""
    main_of(DecoderNode)


if __name__ == "__main__":
    main()
