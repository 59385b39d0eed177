"""The loop with models of other frame rates and shorter blocks: it follows their checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.tiny_checkpoint import build_tiny_checkpoint, write_tiny_profile

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.client.video_summary import summarise_video
from avatar_nodes.graph.graph import Graph
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.pipeline.in_process import (
    record_in_process,
    render_in_process,
    start_pipeline,
)
from avatar_nodes.profile import load_profile, with_values

TIMINGS = [
    BlockTiming(frame_rate=16, latents_per_block=1),
    BlockTiming(frame_rate=16, latents_per_block=2),
    BlockTiming(frame_rate=16),
    BlockTiming(frame_rate=25, latents_per_block=4, sample_rate=48_000),
]
MEMORY = MemoryConfig(short=2, long=2, hidden=8, heads=1)


def _names(timing: BlockTiming) -> str:
    return f"{timing.frame_rate} fps, {timing.latents_per_block} latents, {timing.sample_rate} Hz"


@pytest.fixture(scope="module", params=TIMINGS, ids=_names)
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    folder = tmp_path_factory.mktemp("model")
    checkpoint = build_tiny_checkpoint(folder / "weights", memory=MEMORY, timing=request.param)
    profile = load_profile(str(write_tiny_profile(folder, checkpoint)))
    assert profile.timing == request.param
    return Graph.from_profile(with_values(profile, {"memory": {"enabled": True, "lag": 1}}))


def _sound(timing: BlockTiming) -> np.ndarray:
    """Three blocks and a frame and a bit of the fourth."""
    count = 3 * timing.samples_per_block + timing.samples_per_frame + 100
    return np.random.default_rng(1).integers(-9000, 9000, count).astype(np.int16)


def test_there_are_as_many_frames_as_the_sound_begins(graph: Graph) -> None:
    timing = graph.profile.timing
    frames = np.stack(list(render_in_process(graph, _sound(timing))))
    assert frames.shape == (3 * timing.frames_per_block + 2, 64, 64, 3)
    assert frames.std() > 0


def test_a_block_after_the_other(graph: Graph) -> None:
    """Also over a fault, and after as many blocks as fill window and memory."""
    timing = graph.profile.timing
    sound = np.random.default_rng(2).integers(-9000, 9000, (6, timing.samples_per_block))
    pipeline = start_pipeline(graph)
    for number, block in enumerate(sound.astype(np.int16)):
        if number == 4:
            pipeline.recover()
        assert pipeline.render_block(block).shape == (timing.frames_per_block, 64, 64, 3)
    assert len(pipeline.remembered_blocks()) >= MEMORY.short


def test_how_the_steps_are_placed_changes_nothing(graph: Graph) -> None:
    sound = _sound(graph.profile.timing)
    separate = Graph.from_profile(graph.profile, placement="separate")
    expected = np.stack(list(render_in_process(graph, sound)))
    assert np.array_equal(np.stack(list(render_in_process(separate, sound))), expected)


def test_a_recording_is_as_long_as_its_sound(graph: Graph, tmp_path: Path) -> None:
    timing = graph.profile.timing
    audio, out, sound = tmp_path / "s.wav", tmp_path / "o.mp4", _sound(timing)
    soundfile.write(audio, sound, timing.sample_rate, subtype="PCM_16")
    record_in_process(graph, audio, out, lambda _: None)
    summary = summarise_video(out)
    assert summary.fps == timing.frame_rate
    assert summary.frames == 3 * timing.frames_per_block + 2
    seconds = len(sound) / timing.sample_rate
    assert abs(summary.video_s - seconds) <= 1 / timing.frame_rate
    assert abs(summary.audio_s - summary.video_s) <= 1024 / timing.sample_rate  # a packet of AAC
