"""The loop in one process, and the parts it is put together from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from support.tiny_checkpoint import build_tiny_checkpoint
from support.tiny_model import write_tiny_model

from avatar_nodes.client.video_summary import VideoFileError, summarise_video
from avatar_nodes.graph.graph import Graph
from avatar_nodes.machine.checkpoint import check_checkpoint
from avatar_nodes.pipeline.in_process import InProcessError, record_in_process, render_in_process
from avatar_nodes.profile import Profile, load_profile, with_values

SAMPLES = np.random.default_rng(1).integers(-9000, 9000, 7680 + 700).astype(np.int16)


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Profile:
    return load_profile(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def frames(profile: Profile) -> np.ndarray:
    return _frames(Graph.from_profile(profile))


def _frames(graph: Graph) -> np.ndarray:
    return np.stack(list(render_in_process(graph, SAMPLES)))


def test_there_are_as_many_frames_as_the_sound_begins(frames: np.ndarray) -> None:
    assert frames.shape == (14, 64, 64, 3)  # 700 samples are one frame and a part
    assert frames.dtype == np.uint8
    assert frames.std() > 0


def test_how_the_steps_are_placed_changes_nothing(profile: Profile, frames: np.ndarray) -> None:
    assert np.array_equal(_frames(Graph.from_profile(profile, placement="separate")), frames)


def test_seed_prompt_and_first_block(profile: Profile, frames: np.ndarray) -> None:
    assert not np.array_equal(_frames(Graph.from_profile(profile, seed=1)), frames)
    assert not np.array_equal(_frames(Graph.from_profile(profile, prompt="waves")), frames)
    assert np.array_equal(_frames(Graph.from_profile(profile, first_block=10_000_000)), frames)


def test_the_profile_s_switches_reach_the_loop(profile: Profile, frames: np.ndarray) -> None:
    """Each of them acts on the second block's frames, and none on the first's."""
    placement = {"denoisers": [{"steps": [0, 1, 2, 3]}]}
    switches: list[dict[str, object]] = [
        {"adaptive_sink": False},
        {"rolling_rope": False},
        {"kv_cache": "clean"},
    ]
    made = [frames]
    for switch in switches:
        values = {"model": switch, "placement": placement}
        made.append(_frames(Graph.from_profile(with_values(profile, values))))
        assert np.array_equal(made[-1][:12], frames[:12])
    assert len({frames[12:].tobytes() for frames in made}) == 4


@pytest.mark.parametrize("sigmas", [[1.0, 0.9, 0.6, 0.0], [1.0 - n / 9 for n in range(10)]])
def test_the_profile_says_how_many_steps(
    profile: Profile, frames: np.ndarray, sigmas: list[float]
) -> None:
    steps = list(range(len(sigmas) - 1))
    values = {
        "model": {"sigmas": sigmas},
        "placement": {"denoisers": [{"steps": steps[:2]}, {"steps": steps[2:]}]},
    }
    changed = with_values(profile, values)
    made = _frames(Graph.from_profile(changed))
    assert made.shape == frames.shape
    assert not np.array_equal(made, frames)
    assert np.array_equal(_frames(Graph.from_profile(changed, placement="separate")), made)


def test_a_recording_is_as_long_as_its_sound(profile: Profile, tmp_path: Path) -> None:
    audio, out = tmp_path / "s.wav", tmp_path / "o.mp4"
    soundfile.write(audio, SAMPLES, 16000, subtype="PCM_16")
    seconds: list[float] = []
    record_in_process(Graph.from_profile(profile), audio, out, seconds.append)
    summary = summarise_video(out)
    assert seconds[-1] == 14 / 25
    assert (summary.frames, summary.fps, summary.width, summary.height) == (14, 25.0, 64, 64)
    assert abs(summary.video_s - len(SAMPLES) / 16000) <= 0.04
    assert abs(summary.audio_s - len(SAMPLES) / 16000) <= 1024 / 16000  # a packet of AAC


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stream": {"reference": "/no/such.png"}}, "/no/such.png: No such file or directory"),
        ({"model": {"checkpoint": "/no/such"}}, "/no/such/config.json"),
        ({"video": {"width": 512}}, "times larger ones, the profile asks for 512x64"),
        ({"model": {"past_blocks": 9}}, "past_blocks must be 0..2, got 9"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    profile: Profile, values: dict[str, dict[str, object]], message: str
) -> None:
    with pytest.raises(InProcessError) as caught:
        next(render_in_process(Graph.from_profile(with_values(profile, values)), SAMPLES))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sound_that_is_none(profile: Profile, tmp_path: Path) -> None:
    audio = tmp_path / "empty.wav"
    audio.touch()
    with pytest.raises(InProcessError, match="the file is empty"):
        record_in_process(Graph.from_profile(profile), audio, tmp_path / "o.mp4", lambda _: None)
    assert not (tmp_path / "o.mp4").exists()


def test_a_checkpoint_is_checked_tensor_by_tensor(tmp_path: Path) -> None:
    folder = build_tiny_checkpoint(tmp_path / "checkpoint")
    assert [finding.ok for finding in check_checkpoint(folder)] == [True]
    (folder / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"no tensors")
    (finding,) = check_checkpoint(folder)
    assert not finding.ok
    assert "vae/diffusion_pytorch_model.safetensors" in finding.found
    (absent,) = check_checkpoint(tmp_path / "nowhere")
    assert not absent.ok


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "o.mp4"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(VideoFileError, match=r"o\.mp4: "):
        summarise_video(file)
