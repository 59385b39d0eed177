"""The real graph, run by the `avatar` command: the loop's frames; up, down and up again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
import soundfile
from support.running_avatar import PATIENT_S, RunningAvatar
from support.tiny_model import write_tiny_model

pytest.importorskip("rclpy", exc_type=ImportError)


@pytest.fixture(scope="module")
def profile_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three blocks and a bit of sound."""
    samples = np.random.default_rng(0).integers(-9000, 9000, 3 * 7680 + 1000).astype(np.int16)
    file = tmp_path_factory.mktemp("speech") / "speech.wav"
    soundfile.write(file, samples, 16000)
    return file


@pytest.fixture(scope="module")
def oracle(profile_file: Path, speech: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The video that one loop makes."""
    out = tmp_path_factory.mktemp("oracle") / "o.mp4"
    _render(profile_file, speech, out, "--in-process")
    return out


def _render(profile: Path, speech: Path, out: Path, *more: str) -> str:
    command = [sys.executable, "-m", "avatar_nodes.cli", "render", "--profile", profile]
    done = subprocess.run(
        [*command, "--audio", speech, "--out", out, *more],
        capture_output=True,
        text=True,
        timeout=PATIENT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _decoded(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames uint8 [n, H, W, 3] and sound float32 [samples] of a video."""
    with av.open(str(file)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(file)) as container:
        sound = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    return np.stack(frames), np.concatenate(sound)


@pytest.mark.parametrize("placement", ["profile", "separate", "single"])
def test_the_graph_s_video_is_the_loop_s(
    profile_file: Path, speech: Path, oracle: Path, ros_domain: int, tmp_path: Path, placement: str
) -> None:
    out = tmp_path / "o.mp4"
    text = _render(profile_file, speech, out, "--placement", placement)
    for mine, wanted in zip(_decoded(out), _decoded(oracle), strict=True):
        assert np.array_equal(mine, wanted)
    assert len(_decoded(out)[0]) == 38
    assert "38 frames of 64x64 at 25 fps, video 1.520 s, audio 1.520 s" in text


@pytest.fixture
def running(profile_file: Path, ros_domain: int) -> Iterator[RunningAvatar]:
    avatar = RunningAvatar("--profile", profile_file)
    try:
        yield avatar
    finally:
        avatar.process.kill()
        avatar.process.wait()


def test_up_restarts_what_is_killed_and_ends_in_order(running: RunningAvatar) -> None:
    running.wait_for(r"avatar +\| ready: the avatar is on /avatar/image_raw")
    before = running.nodes()
    assert set(before) == {
        "microphone", "conductor", "denoiser_1", "denoiser_2", "decoder", "presenter",
    }  # fmt: skip
    words = before["denoiser_2"].cmdline()
    parameters = Path(words[words.index("--params-file") + 1])
    shutil.rmtree(parameters.parent)  # as a system does that clears /tmp of what is old
    before["denoiser_2"].kill()
    running.wait_for(r"denoiser_2 was ended by SIGKILL; starting it again")
    running.wait(parameters.exists, "its parameters were there again")
    running.wait(lambda: set(running.nodes()) == set(before), "denoiser_2 was there again")
    after = running.nodes()
    restarted = {name for name in before if before[name].pid != after[name].pid}
    assert restarted == {"denoiser_2"}
    os.kill(running.process.pid, signal.SIGINT)
    assert running.end() == 0
    assert psutil.wait_procs(list(after.values()), timeout=PATIENT_S)[1] == []
    assert running.lines[-1].endswith("stopped by SIGINT\n")


def test_a_second_avatar_in_the_same_namespace_does_not_start(
    running: RunningAvatar, profile_file: Path
) -> None:
    running.wait_for(r"avatar +\| ready")
    before = running.nodes()
    second = RunningAvatar("--profile", profile_file)
    assert second.end() == 1
    assert re.fullmatch(
        r"avatar +\| another avatar is up in /avatar: /avatar/\w+ runs already;"
        r" stop it first, or choose another --namespace\n",
        second.lines[-1],
    )
    assert running.nodes() == before
    os.kill(running.process.pid, signal.SIGINT)
    assert running.end() == 0


def test_up_names_the_node_that_cannot_start(profile_file: Path, ros_domain: int) -> None:
    avatar = RunningAvatar("--profile", profile_file, "--reference", "/no/such/picture.png")
    assert avatar.end() == 1
    assert re.search(r"decoder cannot start: it found its configuration wrong", avatar.lines[-1])
    assert any("/no/such/picture.png: No such file" in line for line in avatar.lines)
