"""A stage that fails at one block says so at once, and the stream goes on in a new epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import rclpy
from rclpy.parameter import Parameter
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_msgs.msg import StageStatus
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.graph.graph import Graph
from avatar_nodes.graph.node_spec import NodeSpec
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.nodes.decoder import DecoderNode
from avatar_nodes.nodes.denoiser import DenoiserNode
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.qos import STAGES

Result = TypeVar("Result")

PATIENCE_S = 3600.0
"""A time-out that cannot be what begins the new epoch."""
FAULT = "the graphics card has a fault"


def _failing(method: Callable[..., Result], *, at: int) -> Callable[..., Result]:
    """`method`, but for its call number `at` (from 0)."""
    calls = itertools.count()

    def called(*arguments: object) -> Result:
        if next(calls) == at:
            raise RuntimeError(FAULT)
        return method(*arguments)

    return called


@pytest.mark.parametrize("name", ["denoiser_2", "decoder"])
def test_the_stream_goes_on_in_a_new_epoch(
    name: str,
    checkpoint: Path,
    long_speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    ros_context: rclpy.Context,
    spinner: Spinner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {"denoiser_2", "decoder"} - {name}
    shared = ", ".join(["microphone", "conductor", "denoiser_1", *others, "presenter"])
    file = write_tiny_profile(tmp_path, checkpoint, processes=f"all: [{shared}]")
    profile = with_values(load_profile(str(file)), {"stream": {"block_timeout_s": PATIENCE_S}})
    graph = Graph.from_profile(profile, mode="puppet", audio=long_speech)
    (spec,) = (node for node in graph.nodes if node.name == name)
    if name == "decoder":
        node = _node(DecoderNode, spec, graph.namespace, ros_context)
        node._decoder.decode = _failing(node._decoder.decode, at=7)  # in the midst of a block
    else:
        monkeypatch.setattr(Stage, "_denoise", _failing(Stage._denoise, at=5))
        node = _node(DenoiserNode, spec, graph.namespace, ros_context)
    said: list[StageStatus] = []
    watcher = spinner.create_node("watcher", namespace=graph.namespace)
    watcher.create_subscription(StageStatus, "stages", said.append, STAGES)
    listener = Listener(spinner, graph.namespace)
    spinner.add(node)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start(["all"])
    wait_until(lambda: len(listener.presented) >= 12, what="12 blocks")
    node.heartbeat.stop()
    blocks = [msg.block for msg in listener.presented]
    assert blocks == list(range(len(blocks))), running.logs()
    sounds = [(msg.sound.first_sample, msg.next_sample) for msg in listener.presented]
    assert all(after[0] == before[1] for before, after in itertools.pairwise(sounds))
    epochs = [msg.epoch for msg in listener.presented]
    assert epochs == sorted(epochs) and len(set(epochs)) == 2
    assert node.telemetry.rejections["internal"] == 1
    mine = [(msg.ready, msg.epoch, msg.detail) for msg in said if msg.name == name and msg.epoch]
    told = [msg for msg in said if msg.name == name and FAULT in msg.detail]
    assert told and not any(msg.ready or msg.epoch for msg in told)
    assert list(dict.fromkeys(epoch for _, epoch, _ in mine)) == sorted(set(epochs))


def _node(
    kind: type[AvatarNode], spec: NodeSpec, namespace: str, context: rclpy.Context
) -> AvatarNode:
    remappings = [x for pair in spec.remappings.items() for x in ("-r", ":=".join(pair))]
    node = kind(
        spec.name,
        context=context,
        namespace=namespace,
        parameter_overrides=[Parameter(key, value=x) for key, x in spec.parameters.items()],
        cli_args=["--ros-args", *remappings],
    )
    node.autostart()
    return node
