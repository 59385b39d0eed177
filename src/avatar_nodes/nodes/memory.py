"""Long-Short Visual Memory: the last latents and key frames, compressed into tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from avatar_msgs.msg import EpochStart, FrameBlock, LatentBlock
from avatar_nodes.block.block import Memory
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.remembering.build import build_memory
from avatar_nodes.remembering.settings import MemorySettings
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import epoch_from_msg, latent_from_msg
from avatar_nodes.wire.frames import frames_from_msg
from avatar_nodes.wire.visual_memory import memory_to_msg


class MemoryNode(AvatarNode[MemorySettings]):
    """`blocks/latent_clean` (and `blocks/frames`, where features need them) in, `memory` out."""

    KIND = "memory"

    def setup(self) -> None:
        torch.set_num_threads(self.settings.threads)
        self._stage = build_memory(self.settings)
        self._out = self.publisher(topics.MEMORY)

    def start(self) -> None:
        self._stage.reset()
        self.listen(topics.EPOCH, self._on_epoch)
        self.listen(topics.LATENT_CLEAN, self._on_latent)
        if self._stage.needs_frames:
            self.listen(topics.FRAMES, self._on_frames)
        self.heartbeat.say(detail="waiting for an epoch")

    def _on_epoch(self, msg: EpochStart) -> None:
        if self.takes_part(msg):
            start = epoch_from_msg(msg)
            self._tell(self._stage.start_epoch(start))
            self.gave_out(start.first_block - 1)
            self.hold_epoch(start.epoch, "remembering")

    def _on_latent(self, msg: LatentBlock) -> None:
        self.note_hop(msg.header.stamp)
        block = latent_from_msg(msg)
        with self.telemetry.timed("stage_ms"):
            made = self._stage.take(block)
        self.gave_out(block.block)
        self._tell(made)

    def _on_frames(self, msg: FrameBlock) -> None:
        frames = frames_from_msg(msg)
        with self.telemetry.timed("stage_ms"):
            made = self._stage.take_frames(msg.epoch, msg.block, frames, first=msg.first_frame)
        self._tell(made)

    def _tell(self, memories: Sequence[Memory]) -> None:
        for memory in memories:
            msg = memory_to_msg(memory)
            msg.header.stamp = self.get_clock().now().to_msg()
            self._out.publish(msg)
            self.telemetry.output()
        held = self._stage.memory
        self.telemetry.gauge("short_frames", len(held.recent))
        self.telemetry.gauge("key_frames", len(held.keys))
        self.telemetry.gauge("key_frame_similarity", held.keys.similarity)
        self.telemetry.gauge("key_frames_replaced", held.keys.replaced)
        self.telemetry.gauge("candidates_gated", held.keys.gated)


def main() -> None:
    """Run the node as a process."""
    main_of(MemoryNode)


if __name__ == "__main__":
    main()
