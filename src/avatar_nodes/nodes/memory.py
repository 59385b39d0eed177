"""Long-Short Visual Memory: the last latents and key frames, compressed into tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from avatar_msgs.msg import EpochStart, FrameBlock, LatentBlock
from avatar_nodes.block.block import Memory
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.pipeline.assembly import MemorySettings, build_memory
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import epoch_from_msg, latent_from_msg
from avatar_nodes.wire.frames import frames_from_msg
from avatar_nodes.wire.visual_memory import memory_to_msg


class MemoryNode(AvatarNode):
    """`blocks/latent_clean` (and `blocks/frames`, where features need them) in, `memory` out."""

    KIND = "memory"
    PARAMETERS = (
        NodeParameter("checkpoint", "", "Folder of a model with visual memory."),
        NodeParameter("device", "cpu", "Device of the compressor: cpu, cuda or cuda:N."),
        NodeParameter("threads", 1, "CPU threads for its arithmetic.", 1, 256),
        NodeParameter("short", -1, "Latents in short memory; -1: as trained.", -1, 1024),
        NodeParameter("long", -1, "Key latents in long memory; -1: as trained.", -1, 1024),
        NodeParameter("lag", 4, "Blocks by which a block's memory is behind it.", 1, 12),
        NodeParameter("features", "latents", "`latents`, or the folder of a SigLIP 2 model."),
        NodeParameter(
            "selection",
            "diverse",
            "Key frames unlike each other (DKFS), or drawn by lot.",
            choices=("diverse", "random"),
        ),
        NodeParameter("gate", 0.3, "Least cosine of a key frame and the reference.", -1.0, 1.0),
        NodeParameter("gated", True, "False: corrupted frames may become key frames."),
        NodeParameter(
            "half_life", 600.0, "Refused candidates that halve a threshold; 0: never.", 0.0, 1e6
        ),
        NodeParameter("seed", 0, "Seed of the selection by lot.", 0, 2**63 - 1),
    )

    def setup(self) -> None:
        torch.set_num_threads(self.value("threads"))
        settings = MemorySettings.of({p.name: self.value(p.name) for p in self.PARAMETERS})
        self._stage = build_memory(self.value("checkpoint"), settings, device=self.value("device"))
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
            self.hold_epoch(start.epoch, "remembering")

    def _on_latent(self, msg: LatentBlock) -> None:
        self.note_hop(msg.header.stamp)
        block = latent_from_msg(msg)
        with self.telemetry.timed("stage_ms"):
            made = self._stage.take(block)
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
