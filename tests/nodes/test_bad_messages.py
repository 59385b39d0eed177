"""Malformed messages on the graph's topics are refused and counted; the stream goes on."""

from __future__ import annotations

import array
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import QoSProfile
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import LATENT_CHANNELS, write_tiny_profile

from avatar_msgs import msg as m
from avatar_nodes.graph.graph import Graph
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.wire.qos import BLOCKS, DIAGNOSTICS, LATCHED, SOUND

PATIENT_S = 300.0
REPORT_S = 0.2
SHAPE = [LATENT_CHANNELS, 3, 4, 4]


def tensor(dtype: str = "float32", shape: list[int] = SHAPE, size: int | None = None) -> m.Tensor:
    length = LATENT_CHANNELS * 3 * 4 * 4 * 4 if size is None else size
    return m.Tensor(dtype=dtype, shape=shape, data=array.array("B", bytes(length)))


def nan_tensor() -> m.Tensor:
    broken = tensor()
    broken.data[0:4] = array.array("B", b"\x00\x00\xc0\x7f")
    return broken


LATENTS = {
    "dtype": m.LatentBlock(latent=tensor(dtype="float31")),
    "shape": m.LatentBlock(latent=tensor(shape=[7], size=28)),
    "length": m.LatentBlock(latent=tensor(size=5)),
    "size": m.LatentBlock(latent=tensor(shape=[2**31, 2**31, 2**31, 2**31])),
    "not_finite": m.LatentBlock(latent=nan_tensor()),
    "sigma": m.LatentBlock(sigma=float("nan"), latent=tensor()),
    "latent of another step": m.LatentBlock(step=7, latent=tensor()),
    "stale epoch": m.LatentBlock(step=1, latent=tensor()),
}
SOUNDS = {
    "rate": m.AudioChunk(sample_rate=0, channels=1, data=[1]),
    "channels": m.AudioChunk(sample_rate=16000, channels=0, data=[1]),
    "stream": m.AudioChunk(
        stream="mine", sample_rate=16000, channels=1, first_sample=2**40, data=[1, 2]
    ),
    "index": m.AudioChunk(
        stream="mine", sample_rate=16000, channels=1, first_sample=2**60, data=[1, 2]
    ),
}
FRAMES = {
    "encoding": m.FrameBlock(count=1, height=64, width=64, encoding="h264"),
    "size": m.FrameBlock(count=0, height=0, width=2**31, encoding="rgb8"),
    "length": m.FrameBlock(
        count=12, block_frames=12, height=64, width=64, encoding="rgb8", data=[1, 2, 3]
    ),
    "stale": m.FrameBlock(
        count=1,
        block_frames=1,
        height=64,
        width=64,
        encoding="rgb8",
        data=array.array("B", bytes(64 * 64 * 3)),
    ),
}
DEMANDS = {"order": m.AudioDemand(next_sample=9, limit_sample=3)}
CONDITIONINGS = {"dtype": m.BlockConditioning(), "rate": m.BlockConditioning()}


class Reports:
    """The last report of each node on /diagnostics."""

    def __init__(self, spinner: Spinner) -> None:
        self.values: dict[str, dict[str, str]] = {}
        node = spinner.create_node("reports")
        node.create_subscription(DiagnosticArray, "/diagnostics", self._take, DIAGNOSTICS)

    def refused(self, node: str, reason: str) -> int:
        return int(self.values.get(node, {}).get(f"rejected/{reason}", 0))

    def _take(self, msg: DiagnosticArray) -> None:
        for status in msg.status:
            name = status.name.rpartition("/")[2]
            self.values[name] = {value.key: value.value for value in status.values}


class Wrong:
    """Malformed messages for one topic, sent one at a time: a reader's history is short, and what
    the graph itself sends must not be pushed out of it (nor pushes a wrong one out for good).
    """

    def __init__(
        self, listener: Listener, topic: str, qos: QoSProfile, messages: Mapping[str, Any],
        counted: Mapping[str, Sequence[str]] | None = None,
    ) -> None:  # fmt: skip
        """counted: for each node, the messages (by name) that it counts under their name."""
        self._messages = messages
        self._counted = {
            name: [node for node, names in (counted or {}).items() if name in names]
            for name in messages
        }
        self._unsent = set(messages)
        kind = type(next(iter(messages.values())))
        publisher = listener.node.create_publisher(kind, topic, qos)
        wait_until(lambda: publisher.get_subscription_count() > 0, what=f"a reader of {topic}")
        self._publisher = publisher

    def missing(self, reports: Reports) -> list[str]:
        """Messages that were not sent, or not yet counted by all who should."""
        return [
            name
            for name, nodes in self._counted.items()
            if name in self._unsent or not all(reports.refused(node, name) for node in nodes)
        ]

    def send_one(self, reports: Reports) -> bool:
        """Sends the first that is missing; false: none is."""
        missing = self.missing(reports)
        if missing:
            self._unsent.discard(missing[0])
            self._publisher.publish(self._messages[missing[0]])
        return bool(missing)


def test_the_stream_survives(
    checkpoint: Path,
    long_speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
) -> None:
    profile = with_values(
        load_profile(str(write_tiny_profile(tmp_path, checkpoint))),
        {"diagnostics": {"period_s": REPORT_S}},
    )
    graph = Graph.from_profile(
        profile, mode="puppet", audio=long_speech, placement="single", namespace="/bad"
    )
    listener, reports = Listener(spinner, graph.namespace), Reports(spinner)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: len(listener.presented) > 2, what="the first blocks")

    topics = [
        Wrong(listener, "blocks/latent_1", BLOCKS, LATENTS, {"denoiser_2": list(LATENTS)}),
        Wrong(
            listener,
            "blocks/latent_clean",
            BLOCKS,
            {k.removesuffix(" epoch"): v for k, v in LATENTS.items() if k != "shape"},
            {"decoder": ["dtype", "not_finite", "sigma", "stale"]},
        ),
        Wrong(listener, "speech/audio", SOUND, SOUNDS, {"conductor": list(SOUNDS)}),
        Wrong(listener, "blocks/frames", BLOCKS, FRAMES, {"presenter": list(FRAMES)}),
        Wrong(listener, "speech/demand", LATCHED, DEMANDS, {"microphone": list(DEMANDS)}),
        Wrong(
            listener,
            "blocks/conditioning",
            BLOCKS,
            CONDITIONINGS,
            {"presenter": ["rate"], "denoiser_1": ["dtype"]},
        ),
        Wrong(listener, "blocks/epoch", LATCHED, {"": m.EpochStart(epoch=1, sink=m.SinkFrame())}),
    ]
    deadline = time.monotonic() + PATIENT_S
    while sum(topic.send_one(reports) for topic in topics):  # one of each
        missing = [topic.missing(reports) for topic in topics]
        assert time.monotonic() < deadline, f"not counted: {missing} of {reports.values}"
        time.sleep(REPORT_S)
    have = len(listener.presented)
    wait_until(lambda: len(listener.presented) > have + 3, what="the stream to go on")
    assert [running.exit_code(name) for name in running.names] == [None]
    assert {name: len(ids) for name, ids in listener.instances.items() if len(ids) != 1} == {}
    blocks = [message.block for message in listener.presented]
    assert blocks == list(range(blocks[0], blocks[0] + len(blocks)))
    assert len({message.epoch for message in listener.presented}) == 1
