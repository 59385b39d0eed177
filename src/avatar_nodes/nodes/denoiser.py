"""One or several denoising steps for every block, with rolling caches of its own."""

from __future__ import annotations

import time

import torch

from avatar_msgs.msg import EpochStart, LatentBlock, Prompt
from avatar_nodes.block import block as stream
from avatar_nodes.denoising.build import build_stage
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.denoising.stage_inbox import Arrival, BlockWork, StageInbox, Work
from avatar_nodes.model.read_config import read_config
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.wire import topics
from avatar_nodes.wire.block import (
    conditioning_from_msg,
    epoch_from_msg,
    latent_from_msg,
    latent_to_msg,
    prompt_from_msg,
    sink_from_msg,
)
from avatar_nodes.wire.visual_memory import memory_from_msg


class DenoiserNode(AvatarNode[DenoiserSettings]):
    """`latent_in`, `blocks/conditioning` and `memory` in, `latent_out` out."""

    KIND = "denoiser"

    def setup(self) -> None:
        settings = self.settings
        torch.set_num_threads(settings.threads)
        self._stage = build_stage(settings)
        self._inbox = StageInbox(
            first_step=settings.steps[0],
            latent_shape=self._stage.latent_shape,
            sink_shape=self._stage.sink_shape,
            audio_shape=self._stage.audio_shape,
            text_dim=read_config(settings.checkpoint).text_dim,
            memory_shape=self._stage.memory_shape,
        )
        self._next_step = settings.steps[-1] + 1
        self._sigma = settings.sigmas[self._next_step]
        self._out = self.publisher(topics.LATENT_OUT)

    def start(self) -> None:
        self._inbox.clear()
        self.listen(topics.PROMPT, self._on_prompt)
        self.listen(topics.SINK, lambda m: self._take(sink_from_msg(m)))
        if self._stage.memory_shape is not None:
            self.listen(topics.MEMORY, lambda m: self._take(memory_from_msg(m)))
        self.listen(topics.EPOCH, self._on_epoch)
        self.listen(topics.CONDITIONING, lambda m: self._take(conditioning_from_msg(m)))
        if not self._stage.makes_noise:
            self.listen(topics.LATENT_IN, self._on_latent)
        self.heartbeat.say(detail="waiting for an epoch")

    def _on_epoch(self, msg: EpochStart) -> None:
        if self.takes_part(msg):
            self._take(epoch_from_msg(msg))

    def _on_prompt(self, msg: Prompt) -> None:
        if msg.expected:
            self._stage.expect_switch(msg.id, msg.expected_block)
        self._take(prompt_from_msg(msg))

    def _on_latent(self, msg: LatentBlock) -> None:
        self.note_hop(msg.header.stamp)
        self._take(latent_from_msg(msg))

    def _take(self, arrival: Arrival) -> None:
        """Put what has arrived with the rest, and do what has become possible."""
        self._inbox.offer(arrival)
        while (work := self._inbox.take()) is not None:
            self._do(work)
        begun = time.monotonic()
        if self._stage.prepare():
            self.telemetry.sample("prepare_ms", 1000.0 * (time.monotonic() - begun))
        self.telemetry.gauge("queue_depth", self._inbox.depth)

    def _do(self, work: Work) -> None:
        match work:
            case stream.EpochStart():
                with self.telemetry.timed("rebuild_ms"):
                    self._stage.start_epoch(work)
                self.gave_out(work.first_block - 1)
                self.hold_epoch(work.epoch, "denoising")
            case stream.Prompt():
                self._stage.set_prompt(work)
            case stream.Sink():
                self._stage.set_sink(work)
            case stream.Memory():
                self._stage.set_memory(work)
            case BlockWork():
                self._denoise(work)

    def _denoise(self, work: BlockWork) -> None:
        block = work.conditioning
        with self.telemetry.timed("switch_ms" if block.cache_switch else "stage_ms"):
            latent = self._stage.process(block, work.latent)
        done = stream.BlockLatent(block.epoch, block.block, self._next_step, latent)
        msg = latent_to_msg(done, sigma=self._sigma)
        msg.header.stamp = self.get_clock().now().to_msg()
        self._out.publish(msg)
        self.gave_out(block.block)
        self.telemetry.output()


def main() -> None:
    """Run the node as a process."""
    main_of(DenoiserNode)


if __name__ == "__main__":
    main()
