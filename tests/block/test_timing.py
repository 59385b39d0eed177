"""Time as a property of the model: read from its configuration, derived once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from avatar_nodes.block.timing import BlockTiming, TimingError


def test_the_published_and_the_shipped_models() -> None:
    timing = BlockTiming()
    assert (timing.frames_per_block, timing.samples_per_frame) == (12, 640)
    assert (timing.samples_per_block, timing.block_s) == (7680, 0.48)


def test_sixteen_frames_a_second() -> None:
    timing = BlockTiming(frame_rate=16, latents_per_block=1)
    assert (timing.frames_per_block, timing.samples_per_frame) == (4, 1000)
    assert (timing.samples_per_block, timing.block_s) == (4000, 0.25)


def test_a_checkpoint_states_what_it_was_trained_at(tmp_path: Path) -> None:
    assert BlockTiming.read(tmp_path) == BlockTiming()  # not downloaded yet
    config = tmp_path / "config.json"
    config.write_text('{"dim": 64}')
    assert BlockTiming.read(tmp_path) == BlockTiming()
    timing = BlockTiming(frame_rate=16, latents_per_block=2, sample_rate=32_000)
    config.write_text(json.dumps({"dim": 64, **timing.to_config()}))
    assert BlockTiming.read(tmp_path) == timing


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "cannot be read as JSON"),
        ("3", "cannot be read as JSON"),
        ('{"sample_fps": 29.97}', "sample_fps: expected an integer in 1..120, got 29.97"),
        ('{"sample_fps": true}', "sample_fps: expected an integer in 1..120, got True"),
        ('{"sample_fps": 30}', "sampling_rate: expected a multiple of sample_fps (30), got 16000"),
        ('{"num_frame_per_block": 9}', "num_frame_per_block: expected an integer in 1..4, got 9"),
        ('{"scale_factor_temporal": 0}', "scale_factor_temporal: expected an integer in 1..8"),
        ('{"sampling_rate": 4000}', "sampling_rate: expected an integer in 8000..192000"),
    ],
)
def test_what_no_model_can_have(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(TimingError) as caught:
        BlockTiming.read(tmp_path)
    assert str(caught.value).startswith(f"{path}: ") and words in str(caught.value)
