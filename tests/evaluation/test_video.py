"""Finished videos are measured: whether the mouth follows the sound, and whose face it is."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from avatar_nodes.cli import main
from avatar_nodes.evaluation.video import SeenFace, judge_video, known_speech, watch
from avatar_nodes.judging.faces import Face
from avatar_nodes.judging.footage import JudgeError
from avatar_nodes.profile.people import shipped_people
from avatar_nodes.recording.mp4_writer import Mp4Writer
from avatar_nodes.sound.audio_file import pcm_from_float
from avatar_nodes.world.speech import Speech, synthesise
from avatar_nodes.world.visemes import lip_track

WORDS = "Mary brought the blue paper to my room, and Paul may bring more of it on Monday."
NOBODY, SOMEBODY = np.zeros(128), np.full(128, 0.1)


@pytest.fixture(scope="module")
def speech() -> Speech:
    return synthesise(WORDS, voice="en-us+f3", rate=150)


def _seen(speech: Speech, *, fps: float, late_s: float = 0.0) -> list[SeenFace]:
    """A mouth that follows the speech, `late_s` late."""
    seconds = len(speech.samples) / speech.sample_rate
    track = lip_track(speech, int(seconds * 100), 100).aperture
    times = np.arange(int(seconds * fps)) / fps
    truth = np.interp(times - late_s + 0.03, np.arange(len(track)) / 100, track)
    return [
        SeenFace(float(t), 0.1 + 0.4 * float(a), SOMEBODY if n % 6 == 0 else None)
        for n, (t, a) in enumerate(zip(times, truth, strict=True))
    ]


@pytest.mark.parametrize("fps", [16.0, 25.0, 29.97])
def test_a_mouth_that_follows_is_told_from_one_that_is_late(speech: Speech, fps: float) -> None:
    figures = judge_video(_seen(speech, fps=fps), speech)
    assert figures["mouth_corr"] > 0.95 and figures["mouth_lag_ms"] == 0
    assert figures["frame_rate"] == pytest.approx(fps, rel=0.01)
    late = judge_video(_seen(speech, fps=fps, late_s=0.16), speech)
    assert late["mouth_lag_ms"] == 160 and late["mouth_corr"] < figures["mouth_corr"] - 0.2


def test_a_face_is_compared_with_whom_it_should_be(speech: Speech) -> None:
    seen = _seen(speech, fps=25.0)
    assert judge_video(seen, speech)["same_person"] == 1.0
    stranger = judge_video(seen, speech, reference=NOBODY)
    assert stranger["distance"] == pytest.approx(np.sqrt(128) * 0.1)
    assert stranger["same_person"] == 0.0


def test_frames_without_a_face_count_against_it(speech: Speech) -> None:
    seen = _seen(speech, fps=25.0)
    hidden = [s if n % 4 else SeenFace(s.time_s, None, None) for n, s in enumerate(seen)]
    assert judge_video(hidden, speech)["face_found"] == pytest.approx(0.75, abs=0.01)
    with pytest.raises(JudgeError, match="0 faces"):
        judge_video([SeenFace(s.time_s, None, None) for s in seen], speech)


class _OneFace:
    """Sees a face in bright frames; how bright is how open."""

    def find(self, frame: np.ndarray) -> Face | None:
        if frame.mean() < 20.0:
            return None
        marks = np.zeros((68, 2), np.float32)
        marks[42:48, 0] = 100.0
        marks[[61, 62, 63], 1] = frame.mean()
        return Face(marks, None)

    def describe(self, frame: np.ndarray, face: Face) -> np.ndarray:
        return SOMEBODY


def _write(file: Path, frames: np.ndarray, speech: Speech, *, fps: int = 25) -> None:
    height, width = frames.shape[1:3]
    with Mp4Writer(
        file, width=width, height=height, fps=fps, sample_rate=speech.sample_rate
    ) as mp4:
        for frame in frames:
            mp4.write_frame(frame)
        mp4.write_sound(pcm_from_float(speech.samples))


def test_every_frame_of_a_file_is_seen_in_its_time(tmp_path: Path, speech: Speech) -> None:
    levels = np.array([0] * 10 + [60, 120] * 20, np.uint8)
    _write(
        tmp_path / "a.mp4", levels[:, None, None, None] * np.ones((1, 64, 64, 3), np.uint8), speech
    )
    seen = list(watch(tmp_path / "a.mp4", _OneFace()))  # type: ignore[arg-type]
    assert [one.time_s for one in seen] == pytest.approx(np.arange(50) / 25)
    assert all(one.opening is None for one in seen[:10])
    assert [one.opening for one in seen[10:]] == pytest.approx([0.6, 1.2] * 20, abs=0.05)
    assert [n for n, one in enumerate(seen) if one.vector is not None] == list(range(10, 50, 6))
    assert known_speech(tmp_path / "a.mp4", WORDS).phones


@pytest.mark.parametrize("name", ["none.mp4", "text.mp4"])
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(JudgeError, match=name):
        list(watch(tmp_path / name, _OneFace()))  # type: ignore[arg-type]


@pytest.mark.skipif(
    importlib.util.find_spec("face_recognition_models") is None,
    reason="face-recognition-models (requirements/training.txt) is not installed",
)
def test_the_command_measures_a_still_picture(tmp_path: Path, speech: Speech) -> None:
    person, other = shipped_people()[0], shipped_people()[-1]
    with Image.open(person.picture) as picture:
        still = np.asarray(picture.resize((256, 256)))
    count = int(len(speech.samples) / speech.sample_rate * 8)
    frames = np.broadcast_to(still, (count, *still.shape))
    _write(tmp_path / "still.mp4", frames, speech, fps=8)
    (tmp_path / "still.txt").write_text(WORDS)
    command = ["eval", "video", str(tmp_path / "still.mp4"), "--json", str(tmp_path / "f.json")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "f.json").read_text())
    (figures,) = rows.values()
    assert figures["same_person"] == 1.0 and figures["swing"] < 0.05
    done = CliRunner().invoke(main, [*command, "--reference", other.name])
    rows = json.loads((tmp_path / "f.json").read_text())
    assert done.exit_code == 0 and rows[str(tmp_path / "still.mp4")]["same_person"] == 0.0
