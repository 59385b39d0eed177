"""A recording can be played at any time, however it ended; gaps do not part picture and sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from avatar_nodes.recording.fragmented_mp4 import FragmentedMp4Writer
from avatar_nodes.recording.mp4_writer import RecordingError

SIZE = {"width": 64, "height": 48, "fps": 25, "sample_rate": 16000}
FRAME_NS = 40_000_000
START_NS = 1_700_000_000_000_000_000

PROGRAM = """
import os, resource, sys
from pathlib import Path
import numpy as np
from avatar_nodes.recording.fragmented_mp4 import FragmentedMp4Writer
from avatar_nodes.recording.mp4_writer import RecordingError

how, path = sys.argv[1], Path(sys.argv[2])
if how == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
noise = np.random.default_rng(0)
writer = FragmentedMp4Writer(path, width=128, height=128, fps=25, sample_rate=16000)
try:
    for number in range(110):
        frame = noise.integers(0, 256, (128, 128, 3), np.uint8)
        writer.write(number * 40_000_000, frame, np.zeros(640, np.int16))
except RecordingError as error:
    print("ended:", error)
    try:
        writer.close()
    except RecordingError as error:
        print("closed:", error)
    sys.exit(0)
if how == "killed":
    print(writer.frames, flush=True)
    os.kill(os.getpid(), 9)
"""


def frame(flash: bool) -> np.ndarray:
    return np.full((48, 64, 3), 250 if flash else 20, np.uint8)


def sound(beep: bool) -> np.ndarray:
    tone = np.sin(2 * np.pi * 1000 * np.arange(640) / 16000) * (12000 if beep else 0)
    return tone.astype(np.int16)


def watch(path: Path) -> tuple[list[float], list[float], float, float]:
    """When it flashes, when it beeps (begins), and the ends of video and sound [s]."""
    with av.open(str(path)) as file:
        seen = [(f.time, f.to_ndarray(format="gray").mean()) for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        chunks = [(f.time, f.to_ndarray().ravel()) for f in file.decode(audio=0)]
    steps = np.diff([at for at, _ in chunks])
    assert steps == pytest.approx([0.064] * len(steps))
    heard = np.concatenate([samples for _, samples in chunks])
    loud = np.abs(heard).reshape(-1, 16).max(axis=1) > 0.1
    begins = [0.001 * i + chunks[0][0] for i in np.flatnonzero(loud[1:] & ~loud[:-1])]
    beeps = [at for n, at in enumerate(begins) if not n or at - begins[n - 1] > 0.1]
    flashes = [at for at, level in seen if level > 128]
    return flashes, beeps, seen[-1][0], chunks[-1][0] + 0.064


def test_missing_frames_leave_their_time(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    writer = FragmentedMp4Writer(path, **SIZE)
    numbers = [n for n in range(100) if not 20 <= n < 45]
    for n in numbers:
        marked = n in (10, 60, 90)
        jitter = 1_000_000 * (n % 3)
        writer.write(START_NS + n * FRAME_NS + jitter, frame(marked), sound(marked))
    writer.close()
    assert (writer.frames, writer.seconds) == (75, 4.0)
    flashes, beeps, video_end, sound_end = watch(path)
    assert len(flashes) == len(beeps) == 3
    assert np.abs(np.array(flashes) - beeps).max() < 0.04
    assert np.diff(flashes) == pytest.approx([2.0, 1.2], abs=0.01)
    assert video_end == pytest.approx(sound_end, abs=0.15)


def test_order_is_demanded(tmp_path: Path) -> None:
    writer = FragmentedMp4Writer(tmp_path / "a.mp4", **SIZE)
    writer.write(START_NS, frame(False), sound(False))
    with pytest.raises(ValueError, match="frame 0 after frame 0"):
        writer.write(START_NS, frame(False), sound(False))
    writer.close()
    FragmentedMp4Writer(tmp_path / "b.mp4", **SIZE).close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_it_says_what_made_it(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    writer = FragmentedMp4Writer(path, **SIZE)
    writer.write(START_NS, frame(False), sound(False))
    writer.close()
    with av.open(str(path)) as file:
        assert "trainedAlgorithmicMedia" in file.metadata["comment"]
    assert b"Iptc4xmpExt:DigitalSourceType" in path.read_bytes()


def run(how: str, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, how, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_killed_it_can_be_played_to_the_last_fragment(tmp_path: Path) -> None:
    done = run("killed", tmp_path / "a.mp4")
    assert (done.returncode, done.stdout.strip()) == (-9, "110"), done.stderr
    with av.open(str(tmp_path / "a.mp4")) as file:
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(tmp_path / "a.mp4")) as file:
        samples = sum(f.samples for f in file.decode(audio=0))
    assert 75 <= frames <= 110
    assert samples / 16000 == pytest.approx(frames / 25, abs=0.2)


def test_a_full_disk_is_said_and_what_was_written_stays(tmp_path: Path) -> None:
    done = run("full", tmp_path / "a.mp4")
    assert done.returncode == 0, done.stderr
    assert "ended: " in done.stdout and "File too large" in done.stdout
    with av.open(str(tmp_path / "a.mp4")) as file:
        frames = sum(1 for _ in file.decode(video=0))
    assert frames >= 25
    assert "closed: " in done.stdout


def test_no_place(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        FragmentedMp4Writer(tmp_path / "none" / "a.mp4", **SIZE)
    with pytest.raises(RecordingError, match="even sides"):
        FragmentedMp4Writer(tmp_path / "a.mp4", **{**SIZE, "width": 63})
