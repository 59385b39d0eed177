"""One or several denoising steps for every block, with rolling caches of its own."""

from __future__ import annotations

import time

import torch

from avatar_msgs.msg import EpochStart, LatentBlock, Prompt
from avatar_nodes.block import block as stream
from avatar_nodes.denoising.stage_inbox import Arrival, BlockWork, StageInbox, Work
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.base.node_parameter import NodeParameter
from avatar_nodes.nodes.base.run_nodes import main_of
from avatar_nodes.pipeline.assembly import build_stage, read_config
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


class DenoiserNode(AvatarNode):
    """`latent_in`, `blocks/conditioning` and `memory` in, `latent_out` out."""

    KIND = "denoiser"
    PARAMETERS = (
        NodeParameter("checkpoint", "", "Folder of the model."),
        NodeParameter("lora", "", "LoRA file to merge into the weights; empty: none."),
        NodeParameter("lora_scale", 0.5, "Its alpha / rank.", 0.0, 16.0),
        NodeParameter("width", 256, "Picture width [pixels].", 16, 4096),
        NodeParameter("height", 256, "Picture height [pixels].", 16, 4096),
        NodeParameter("dtype", "float32", "Number format of the model."),
        NodeParameter("float8", False, "Large matrices in 8 bits."),
        NodeParameter("offload_layers", 0, "Layers that stay on the host.", 0, 1000),
        NodeParameter("compile", False, "Compile the layers before the node is ready."),
        NodeParameter(
            "cuda_graphs",
            False,
            "Record the passes over a full window as CUDA graphs before the node is ready.",
        ),
        NodeParameter(
            "cache_switch",
            False,
            "The caches are going to be switched ahead: record the passes with those, too.",
        ),
        NodeParameter("sigmas", [1.0, 0.0], "Noise level before each step, and 0 at the end."),
        NodeParameter("steps", [0], "Steps that this node takes, 0 the noisiest."),
        NodeParameter("past_blocks", 2, "Past blocks that a block attends to.", 0, 64),
        NodeParameter("rolling_rope", True, "The sink keeps its distance to the current block."),
        NodeParameter(
            "kv_cache",
            "same_noise",
            "Past blocks at the step's own noise level, or finished (one node takes all steps).",
            choices=("same_noise", "clean"),
        ),
        NodeParameter(
            "switch_max_sigma",
            1.0,
            "Cache-Switching reaches steps up to this noise level.",
            0.0,
            1.0,
        ),
        NodeParameter("device", "cpu", "Device of the model: cpu, cuda or cuda:N."),
        NodeParameter("threads", 1, "CPU threads for its arithmetic.", 1, 256),
    )

    def setup(self) -> None:
        torch.set_num_threads(self.value("threads"))
        sigmas, steps = list(self.value("sigmas")), list(self.value("steps"))
        self._stage = build_stage(
            self.value("checkpoint"),
            sigmas=sigmas,
            steps=steps,
            past_blocks=self.value("past_blocks"),
            rolling_rope=self.value("rolling_rope"),
            kv_cache=self.value("kv_cache"),
            switch_max_sigma=self.value("switch_max_sigma"),
            size=(self.value("width"), self.value("height")),
            lora=self.value("lora"),
            lora_scale=self.value("lora_scale"),
            dtype=self.value("dtype"),
            float8=self.value("float8"),
            offload_layers=self.value("offload_layers"),
            compile_layers=self.value("compile"),
            cuda_graphs=self.value("cuda_graphs"),
            cache_switch=self.value("cache_switch"),
            device=self.value("device"),
        )
        self._inbox = StageInbox(
            first_step=steps[0],
            latent_shape=self._stage.latent_shape,
            audio_shape=self._stage.audio_shape,
            text_dim=read_config(self.value("checkpoint")).text_dim,
            memory_shape=self._stage.memory_shape,
        )
        self._next_step = steps[-1] + 1
        self._sigma = float(sigmas[self._next_step])
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
        self.telemetry.output()


def main() -> None:
    """Run the node as a process."""
    main_of(DenoiserNode)


if __name__ == "__main__":
    main()
