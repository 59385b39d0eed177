"""Frames of the graph are those of the loop in one process, bit for bit, however it is placed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from support.graph_under_test import GraphUnderTest, Listener
from support.process_group import ProcessGroup
from support.spinner import Spinner, wait_until
from support.tiny_checkpoint import SIDE, build_tiny_checkpoint, write_tiny_profile

from avatar_msgs.msg import FrameBlock
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.graph.graph import Graph
from avatar_nodes.pipeline.in_process import render_in_process
from avatar_nodes.profile import load_profile, with_values
from avatar_nodes.sound.audio_file import read_audio_file
from avatar_nodes.wire.qos import FRAMES

FRAME_NS = 40_000_000
MIXED = "front: [microphone, conductor, denoiser_1], back: [denoiser_2, decoder]"


@pytest.fixture(scope="module")
def oracle(checkpoint: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """All frames [n, H, W, 3] of the loop, with one stage for all steps."""
    folder = tmp_path_factory.mktemp("oracle")
    profile = write_tiny_profile(folder, checkpoint, denoisers=[[0, 1, 2, 3]])
    graph = Graph.from_profile(load_profile(str(profile)), mode="render", audio=speech)
    return np.stack(list(render_in_process(graph, read_audio_file(speech))))


@pytest.mark.parametrize(
    ("denoisers", "shared", "placement"),
    [
        pytest.param([[0], [1], [2], [3]], "", "separate", id="all separate"),
        pytest.param([[0, 1], [2, 3]], "", "single", id="one process"),
        pytest.param([[0], [1, 2, 3]], MIXED, "profile", id="mixed"),
    ],
)
def test_same_frames(
    oracle: np.ndarray,
    checkpoint: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
    denoisers: list[list[int]],
    shared: str,
    placement: str,
) -> None:
    profile = write_tiny_profile(tmp_path, checkpoint, denoisers=denoisers, processes=shared)
    graph = Graph.from_profile(
        load_profile(str(profile)), mode="render", audio=speech, placement=placement
    )
    running, listener = _played(graph, tmp_path, processes, spinner)
    assert len(listener.frames) == len(oracle)
    assert np.array_equal(np.stack(listener.frames), oracle), running.logs()
    heard = np.concatenate(listener.sound)
    samples = read_audio_file(speech)
    assert np.array_equal(heard[: len(samples)], samples)
    assert not heard[len(samples) :].any()
    assert listener.stamps == listener.sound_stamps
    assert set(np.diff(listener.stamps)) == {FRAME_NS}


@pytest.mark.parametrize(
    ("switches", "denoisers"),
    [
        pytest.param(
            {"adaptive_sink": False, "rolling_rope": False}, [[0, 1], [2, 3]], id="aas, rope"
        ),
        pytest.param({"kv_cache": "clean"}, [[0, 1, 2, 3]], id="clean cache"),
    ],
)
def test_same_frames_without_parts_of_the_method(
    oracle: np.ndarray,
    checkpoint: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
    switches: dict[str, object],
    denoisers: list[list[int]],
) -> None:
    """The switches mean the same in the graph as in the loop, which they change."""
    shared = "all: [microphone, conductor, denoiser_1, decoder, presenter]"
    file = write_tiny_profile(tmp_path, checkpoint, denoisers=denoisers, processes=shared)
    profile = with_values(load_profile(str(file)), {"model": switches})
    graph = Graph.from_profile(profile, mode="render", audio=speech)
    expected = np.stack(list(render_in_process(graph, read_audio_file(speech))))
    assert not np.array_equal(expected, oracle)
    running, listener = _played(graph, tmp_path, processes, spinner)
    assert np.array_equal(np.stack(listener.frames), expected), running.logs()


def test_same_frames_from_recorded_passes(
    oracle: np.ndarray,
    checkpoint: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
) -> None:
    """A CPU replays a recording by making the same calls on the same buffers."""
    shared = "all: [microphone, conductor, denoiser_1, denoiser_2, decoder, presenter]"
    file = write_tiny_profile(tmp_path, checkpoint, denoisers=[[0], [1, 2, 3]], processes=shared)
    profile = with_values(load_profile(str(file)), {"model": {"cuda_graphs": True}})
    graph = Graph.from_profile(profile, mode="render", audio=speech)
    running, listener = _played(graph, tmp_path, processes, spinner)
    assert np.array_equal(np.stack(listener.frames), oracle), running.logs()


def test_same_frames_of_pictures_that_are_larger_than_the_latents(
    checkpoint: Path, speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner
) -> None:
    """The decoder warps the reference picture at twice the size that latents stand for."""
    shared = "all: [microphone, conductor, denoiser_1, denoiser_2, decoder, presenter]"
    file = write_tiny_profile(tmp_path, checkpoint, processes=shared, side=2 * SIDE)
    graph = Graph.from_profile(load_profile(str(file)), mode="render", audio=speech)
    expected = np.stack(list(render_in_process(graph, read_audio_file(speech))))
    assert expected.shape[1:] == (2 * SIDE, 2 * SIDE, 3)
    running, listener = _played(graph, tmp_path, processes, spinner)
    assert np.array_equal(np.stack(listener.frames), expected), running.logs()


@pytest.mark.parametrize("latents", [1, 2])
def test_same_frames_at_another_rate(
    speech: Path, tmp_path: Path, processes: ProcessGroup, spinner: Spinner, latents: int
) -> None:
    """Sixteen frames a second in blocks of one or two latents, as the checkpoint says.

    So few tokens are summed in an order that depends on the number of threads: one, in both.
    """
    timing = BlockTiming(frame_rate=16, latents_per_block=latents)
    checkpoint = build_tiny_checkpoint(tmp_path / "weights", timing=timing)
    shared = "all: [microphone, conductor, denoiser_1, denoiser_2, decoder, presenter]"
    file = write_tiny_profile(tmp_path, checkpoint, processes=shared)
    profile = with_values(load_profile(str(file)), {"placement": {"decoder": {"threads": 1}}})
    graph = Graph.from_profile(profile, mode="render", audio=speech)
    samples = read_audio_file(speech)
    with _one_thread():
        expected = np.stack(list(render_in_process(graph, samples)))
    assert len(expected) == -(-len(samples) // 1000)
    running, listener = _played(graph, tmp_path, processes, spinner)
    assert np.array_equal(np.stack(listener.frames), expected), running.logs()
    heard = np.concatenate(listener.sound)
    assert np.array_equal(heard[: len(samples)], samples) and len(heard) == 1000 * len(expected)
    assert listener.stamps == listener.sound_stamps
    assert set(np.diff(listener.stamps)) == {62_500_000}


def test_a_presenter_that_falls_behind_loses_nothing(
    oracle: np.ndarray,
    checkpoint: Path,
    speech: Path,
    tmp_path: Path,
    processes: ProcessGroup,
    spinner: Spinner,
) -> None:
    """Parts of all blocks in flight wait for it; none is overwritten."""
    profile = write_tiny_profile(tmp_path, checkpoint, denoisers=[[0, 1, 2, 3]])
    graph = Graph.from_profile(load_profile(str(profile)), mode="render", audio=speech)
    listener = Listener(spinner, graph.namespace)
    parts: list[FrameBlock] = []
    listener.node.create_subscription(FrameBlock, "blocks/frames", parts.append, FRAMES)
    running = GraphUnderTest(graph, tmp_path, processes)
    running.start()
    wait_until(lambda: bool(listener.frames), what="the first frame")
    os.kill(running.pid("presenter"), signal.SIGSTOP)
    in_flight = graph.profile.stream.max_in_flight
    wait_until(lambda: parts[-1].block >= in_flight - 1, what="all that may be in flight")
    os.kill(running.pid("presenter"), signal.SIGCONT)
    wait_until(lambda: listener.finished, what="the stream's end")
    assert running.logs().count("avatar.conductor]: epoch") == 1
    assert np.array_equal(np.stack(listener.frames), oracle), running.logs()


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _played(
    graph: Graph, folder: Path, processes: ProcessGroup, spinner: Spinner
) -> tuple[GraphUnderTest, Listener]:
    """The graph after its stream's end."""
    listener = Listener(spinner, graph.namespace)
    running = GraphUnderTest(graph, folder, processes)
    running.start()
    wait_until(lambda: listener.finished, what="the stream's end")
    return running, listener
