"""Denoisers and memory as nodes: with memory, a switch of the caches and a fault in one stream, the
latents are those of the loop in one process, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
import torch
from support.settings import overrides_of, settings_of
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import SIDE
from torch import Tensor

from avatar_msgs import msg as m
from avatar_nodes.block.audio_window import AudioWindow
from avatar_nodes.block.block import EpochStart, Prompt, Sink
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.build import PromptEncoder, build_features
from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.conducting.settings import FeatureSettings, PromptSettings
from avatar_nodes.conducting.stream_resume import resume
from avatar_nodes.decoding.build import build_decoder
from avatar_nodes.decoding.settings import DecoderSettings
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.errors.configuration_error import EXIT_MISCONFIGURED
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.denoiser import DenoiserNode
from avatar_nodes.nodes.memory import MemoryNode
from avatar_nodes.pipeline.assembly import build_pipeline
from avatar_nodes.profile.settings import NodeSettings
from avatar_nodes.remembering.settings import MemorySettings
from avatar_nodes.wire import block as wire
from avatar_nodes.wire.qos import BLOCKS, LATCHED
from avatar_nodes.wire.visual_memory import memory_from_msg

LAG, SEED = 2, 3
BLOCKS_IN_ALL, SWITCH, FAULT = 8, 3, 5
SOUND = np.random.default_rng(2).normal(0, 3000, 7680 * BLOCKS_IN_ALL).astype(np.int16)
REFERENCE = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
MEMORY = {"lag": LAG, "gate": -1.0, "half_life": 10.0}


@pytest.fixture(scope="module")
def prompts(remembering: Path) -> tuple[Prompt, Prompt]:
    encoder = PromptEncoder(settings_of(PromptSettings, remembering))
    return encoder.encode("a person talks"), encoder.encode("a person waves")


@pytest.fixture(scope="module")
def oracle(remembering: Path, prompts: tuple[Prompt, Prompt]) -> list[Tensor]:
    """The loop's latents; it recovers before block FAULT."""
    pipeline = build_pipeline(
        [settings_of(DenoiserSettings, remembering)],
        settings_of(DecoderSettings, remembering),
        settings_of(FeatureSettings, remembering),
        settings_of(MemorySettings, remembering, **MEMORY),
        aas_from_block=None,
        cache_switching=True,
    )
    pipeline.start(REFERENCE, prompts[0], seed=SEED)
    latents = []
    for n, block in enumerate(np.split(SOUND, BLOCKS_IN_ALL)):
        if n == SWITCH:
            pipeline.set_prompt(prompts[1])
        if n == FAULT:
            pipeline.recover()
        latents.append(pipeline.denoise_block(block))
    return latents


class Conductor:
    """Issues blocks one after the other and collects what comes of them."""

    def __init__(self, spinner: Spinner, checkpoint: Path, prompts: tuple[Prompt, Prompt]) -> None:
        node = spinner.create_node("conductor")
        self.latents: dict[tuple[int, int], Tensor] = {}
        self.memories: dict[int, set[int]] = {}
        self._prompts = prompts
        decoder = build_decoder(settings_of(DecoderSettings, checkpoint))
        self._sink = Sink(0, decoder.encode_reference(REFERENCE), prompts[0].id)
        features = build_features(settings_of(FeatureSettings, checkpoint))
        window = AudioWindow(features.timing.samples_per_block, features.context_samples)
        self._features = [features.block(window.push(x)) for x in np.split(SOUND, BLOCKS_IN_ALL)]
        self._ledger = BlockLedger(window=2)
        self._epoch = node.create_publisher(m.EpochStart, "blocks/epoch", LATCHED)
        self._blocks = node.create_publisher(m.BlockConditioning, "blocks/conditioning", BLOCKS)
        self._texts = node.create_publisher(m.Prompt, "blocks/prompt", BLOCKS)
        node.create_subscription(m.LatentBlock, "blocks/latent_clean", self._on_latent, BLOCKS)
        node.create_subscription(m.MemoryTokens, "memory", self._on_memory, BLOCKS)
        self.start: EpochStart | None = None

    def begin(self, epoch: int, first_block: int, instances: list[str]) -> None:
        self.start = resume(
            epoch=epoch, first_block=first_block, stream_start=0, seed=SEED, ledger=self._ledger,
            sinks={0: self._sink}, prompts={prompt.id: prompt for prompt in self._prompts},
            prompt_id=self._prompt(first_block).id,
        )  # fmt: skip
        msg = wire.epoch_to_msg(self.start)
        msg.instances = instances
        self._epoch.publish(msg)
        for prompt in self._prompts:
            self._texts.publish(wire.prompt_to_msg(prompt))

    def issue(self, number: int) -> Tensor:
        """The block's clean latent."""
        start = self.start
        assert start is not None
        wait_until(lambda: self._version(number) is not None, what=f"memory for block {number}")
        issued = IssuedBlock(
            block=number, prompt_id=self._prompt(number).id, features=self._features[number],
            samples=np.zeros(7680, np.int16), stream="s", first_sample=0, next_sample=0,
            last=False, cache_switch=number == SWITCH,
        )  # fmt: skip
        self._ledger.record(issued)
        version = self._version(number)
        assert version is not None
        self._blocks.publish(
            wire.conditioning_to_msg(
                issued, epoch=start.epoch, seed=SEED, sink_version=0, sample_rate=16000,
                memory_version=version,
            )
        )  # fmt: skip
        key = (start.epoch, number)
        wait_until(lambda: key in self.latents, what=f"block {number}")
        self._ledger.clean(number, self.latents[key])
        return self.latents[key]

    def _prompt(self, number: int) -> Prompt:
        return self._prompts[number >= SWITCH]

    def _version(self, number: int) -> int | None:
        assert self.start is not None
        versions = MemoryVersions(lag=LAG)
        versions.begin(self.start)
        for version in sorted(self.memories.get(self.start.epoch, ())):
            versions.add(version)
        return versions.version_for(number)

    def _on_latent(self, msg: m.LatentBlock) -> None:
        block = wire.latent_from_msg(msg)
        self.latents[block.epoch, block.block] = block.latent

    def _on_memory(self, msg: m.MemoryTokens) -> None:
        memory = memory_from_msg(msg)
        self.memories.setdefault(memory.epoch, set()).add(memory.version)


class Nodes:
    """Denoisers and a memory, each of which can be lost and started anew; a thread for each."""

    def __init__(self, context: rclpy.Context) -> None:
        self._context = context
        self._spinners: dict[AvatarNode, Spinner] = {}
        self.checkpoint = Path()

    @property
    def instances(self) -> list[str]:
        return [node.heartbeat.instance for node in self._spinners]

    def lose(self, node: AvatarNode) -> None:
        node.heartbeat.stop()
        self._spinners.pop(node).stop()

    def close(self) -> None:
        for node in list(self._spinners):
            self.lose(node)

    def denoiser(self, number: int) -> AvatarNode:
        topics = {"latent_out": "blocks/latent_1" if number == 1 else "blocks/latent_clean"}
        if number == 2:
            topics["latent_in"] = "blocks/latent_1"
        settings = settings_of(
            DenoiserSettings, self.checkpoint, steps=[0, 1] if number == 1 else [2, 3]
        )
        return self._started(DenoiserNode(f"denoiser_{number}", **self._options(settings, topics)))

    def memory(self) -> AvatarNode:
        settings = settings_of(MemorySettings, self.checkpoint, **MEMORY)
        return self._started(MemoryNode("memory", **self._options(settings, {})))

    def _options(self, settings: NodeSettings, topics: dict[str, str]) -> dict[str, Any]:
        arguments = [x for pair in topics.items() for x in ("-r", ":=".join(pair))]
        return {
            "context": self._context,
            "parameter_overrides": overrides_of(settings),
            "cli_args": ["--ros-args", *arguments] if arguments else None,
        }

    def _started(self, node: AvatarNode) -> AvatarNode:
        node.autostart()
        self._spinners[node] = Spinner(self._context)
        self._spinners[node].add(node)
        return node


@pytest.fixture
def nodes(ros_context: rclpy.Context) -> Iterator[Nodes]:
    made = Nodes(ros_context)
    yield made
    made.close()


def test_the_loop_s_bits(
    nodes: Nodes,
    spinner: Spinner,
    remembering: Path,
    prompts: tuple[Prompt, Prompt],
    oracle: list[Tensor],
) -> None:
    nodes.checkpoint = remembering
    nodes.denoiser(1)
    lost = nodes.denoiser(2)
    memory = nodes.memory()
    conductor = Conductor(spinner, remembering, prompts)
    conductor.begin(1, 0, nodes.instances)
    made = [conductor.issue(n) for n in range(FAULT)]
    nodes.lose(lost)
    nodes.denoiser(2)
    conductor.begin(2, FAULT, nodes.instances)
    made += [conductor.issue(n) for n in range(FAULT, BLOCKS_IN_ALL)]
    assert [torch.equal(a, b) for a, b in zip(made, oracle, strict=True)] == [True] * len(made)
    assert memory.telemetry.rejections == {}


def test_a_memory_that_was_lost_begins_anew_and_the_stream_goes_on(
    nodes: Nodes,
    spinner: Spinner,
    remembering: Path,
    prompts: tuple[Prompt, Prompt],
    oracle: list[Tensor],
) -> None:
    nodes.checkpoint = remembering
    nodes.denoiser(1)
    nodes.denoiser(2)
    memory = nodes.memory()
    conductor = Conductor(spinner, remembering, prompts)
    conductor.begin(1, 0, nodes.instances)
    made = [conductor.issue(n) for n in range(FAULT)]
    nodes.lose(memory)
    nodes.memory()
    conductor.begin(2, FAULT, nodes.instances)
    made += [conductor.issue(n) for n in range(FAULT, BLOCKS_IN_ALL)]
    same = [torch.equal(a, b) for a, b in zip(made, oracle, strict=True)]
    assert same == [True] * FAULT + [False] * (BLOCKS_IN_ALL - FAULT)
    wait_until(lambda: len(conductor.memories[2]) == 4, what="the last version")
    assert conductor.memories[2] == {FAULT, FAULT + 1, FAULT + 2, FAULT + 3}


def test_a_model_without_memory_is_a_configuration_that_cannot_work(
    nodes: Nodes, checkpoint: Path
) -> None:
    nodes.checkpoint = checkpoint
    node = nodes.memory()
    assert node.exit_code == EXIT_MISCONFIGURED
    assert "memory: a compressor needs this section" in node.heartbeat.condition.detail
