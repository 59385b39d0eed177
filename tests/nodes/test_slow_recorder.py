"""A recorder that is slower than the graph misses nothing: the graph waits for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import rclpy
import soundfile
from rclpy.parameter import Parameter
from support.graph_under_test import GraphUnderTest
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import write_tiny_profile

from avatar_nodes.graph.graph import Graph
from avatar_nodes.nodes import recorder
from avatar_nodes.profile import load_profile

BLOCKS, FRAMES_PER_BLOCK, SAMPLES_PER_BLOCK = 14, 12, 7680
SECONDS_PER_FRAME = 0.03


class _SlowWriter:
    """Takes its time for a frame, as a large video on a busy machine does."""

    written: ClassVar[list[int]] = []

    def __init__(self, out: str, **size: int) -> None:
        self.frames = 0

    def write_frame(self, frame: np.ndarray) -> None:
        time.sleep(SECONDS_PER_FRAME)
        self.frames += 1

    def write_sound(self, sound: np.ndarray) -> None:
        """Costs nothing."""

    def close(self) -> None:
        self.written.append(self.frames)


def test_no_frame_is_missed(
    checkpoint: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    ros_context: rclpy.Context,
    spinner: Spinner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = np.random.default_rng(0).integers(-9000, 9000, BLOCKS * SAMPLES_PER_BLOCK)
    soundfile.write(tmp_path / "sound.wav", noise.astype(np.int16), 16_000, subtype="PCM_16")
    shared = "all: [microphone, conductor, denoiser_1, decoder, presenter]"
    profile = write_tiny_profile(tmp_path, checkpoint, denoisers=[[0, 1, 2, 3]], processes=shared)
    graph = Graph.from_profile(
        load_profile(str(profile)), mode="render", audio=tmp_path / "sound.wav",
        out=tmp_path / "o.mp4",
    )  # fmt: skip
    monkeypatch.setattr(recorder, "Mp4Writer", _SlowWriter)
    parameters = graph.nodes[-1].parameters
    node = recorder.RecorderNode(
        context=ros_context,
        namespace=graph.namespace,
        parameter_overrides=[Parameter(name, value=value) for name, value in parameters.items()],
    )
    node.autostart()
    spinner.add(node)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start(["all"])
    wait_until(lambda: node.exit_code is not None, what="the end of the recording")
    node.heartbeat.stop()
    assert node.exit_code == 0, running.logs()
    assert _SlowWriter.written == [BLOCKS * FRAMES_PER_BLOCK]
