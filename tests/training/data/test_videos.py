"""Real videos become the same shards: what is kept, what is left out, and that both are counted."""

import json
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from support.video_files import HEIGHT, WIDTH, landscape, portrait, tone, write_video

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.footage import Footage, JudgeError
from avatar_nodes.training.data.shards.clips import ShardClips
from avatar_nodes.training.data.videos.checks import (
    SyncCheck,
    check_face,
    face_crops,
    face_finder,
    mouth_of,
)
from avatar_nodes.training.data.videos.files import (
    VideoError,
    probe,
    read_frames,
    read_sound,
    upright,
)
from avatar_nodes.training.data.videos.prepare import NO_SYNCNET, VideoData, write_videos
from avatar_nodes.training.data.videos.scenes import find_scenes

OPTIONS = VideoData(width=128, height=128, min_seconds=1.5, blocks=2, val_percent=0, test_percent=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files that can be used in part, and five that cannot."""
    path = tmp_path_factory.mktemp("videos")
    sound = tone(4.0, 44_100)
    scenes = chain(portrait(2.0, 30), landscape(2.0, 30))
    write_video(path / "cut.mp4", scenes, rate=30, sound=sound)
    write_video(path / "host.mov", portrait(2.0, 25), rate=25, sound=sound[: 2 * 88_200])
    (path / "host.txt").write_text("A woman in a suit\n  talks.\n")
    write_video(path / "brief.mp4", portrait(1.0, 25), rate=25, sound=sound)
    write_video(path / "mute.mp4", portrait(2.0, 25), rate=25, sound=None)
    write_video(path / "quiet.mp4", portrait(2.0, 25), rate=25, sound=0 * sound)
    write_video(path / "two.mp4", portrait(2.0, 25, faces=2), rate=25, sound=sound)
    (path / "broken.mp4").write_bytes((path / "host.mov").read_bytes()[:3000])
    (path / "notes.pdf").write_bytes(b"no video")
    return path


@pytest.fixture(scope="module")
def written(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shards = tmp_path_factory.mktemp("shards")
    write_videos(OPTIONS, folder, shards, say=lambda _: None)
    return shards


def test_long_scenes_with_a_face_become_clips_like_the_worlds(written: Path) -> None:
    clips = list(ShardClips(written, "train"))
    assert [clip.about["identity"] for clip in clips] == ["cut.mp4"] * 2 + ["host.mov"] * 2
    for clip in clips:
        assert clip.frames().shape == (24, 128, 128, 3)
        assert clip.sound.shape == (2 * 7680,) and np.abs(clip.sound).max() > 0.05
        assert clip.truth["mouth"].shape == (24, 4)
        assert np.array_equal(clip.reference, clip.frames()[0])
    assert clips[1].about["start_s"] == 0.96
    assert clips[0].prompts == ("A person talks to the viewer.",) * 2
    assert clips[2].prompts == ("A woman in a suit talks.",) * 2


def test_what_is_left_out_is_counted_with_its_reason(written: Path) -> None:
    report = json.loads((written / "report.json").read_text())
    reasons = {(entry["file"], entry["reason"].partition(":")[0]) for entry in report["rejected"]}
    assert reasons == {
        ("brief.mp4", "scene too short"),
        ("broken.mp4", "unreadable"),
        ("cut.mp4", "no face"),
        ("mute.mp4", "no sound"),
        ("quiet.mp4", "silent"),
        ("two.mp4", "several faces"),
    }
    assert report["files"] == 7
    assert report["clips"] == {"train": 4, "val": 0, "test": 0}
    assert report["seconds_kept"] == pytest.approx(4 * 0.96)
    assert report["checks"]["sync"] == NO_SYNCNET
    assert "PySceneDetect" in report["checks"]["scenes"]
    assert sum(report["rejected_by_reason"].values()) == len(report["rejected"])


def test_prepared_videos_are_kept_when_it_runs_again(folder: Path, written: Path) -> None:
    said: list[str] = []
    before = (written / "train-00000.tar").stat().st_mtime_ns
    lines = write_videos(OPTIONS, folder, written, say=said.append)
    assert said == ["1 of 1 shards are there already"]
    assert (written / "train-00000.tar").stat().st_mtime_ns == before
    assert "7 files: 4 train, 0 val, 0 test clips, 4 s" in lines


def test_pictures_come_at_25_a_second_whatever_the_file_has(tmp_path: Path) -> None:
    def ramp() -> Iterator[np.ndarray]:
        for n in range(60):
            yield np.full((HEIGHT, WIDTH, 3), 4 * n, np.uint8)

    path = write_video(tmp_path / "ramp.mp4", ramp(), rate=30, sound=None)
    levels = [frame.mean() / 4 for frame in read_frames(path, 0.4, 30, (96, 96), 25)]
    shown = [int((0.4 + (n + 0.5) / 25) * 30) for n in range(30)]  # on screen in mid-frame
    assert np.abs(np.array(levels) - shown).max() < 0.9
    assert len(list(read_frames(path, 1.6, 30, (96, 96), 25))) == 10  # the file ends at 2.0 s


def test_pictures_are_cut_around_the_centre(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, WIDTH // 2 - 40 : WIDTH // 2 + 40] = 255
    path = write_video(tmp_path / "bar.mp4", iter([picture] * 5), rate=25, sound=None)
    (square,) = read_frames(path, 0.0, 1, (120, 120), 25)
    assert square.shape == (120, 120, 3)
    white = np.flatnonzero(square[60, :, 0] > 127)
    assert (white[0], white[-1]) == (40, 79)  # 80 of 240 pixels, at half size
    (wide,) = read_frames(path, 0.0, 1, (160, 80), 25)
    white = np.flatnonzero(wide[40, :, 0] > 127)
    assert (white[0], white[-1]) == (60, 99)


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, WIDTH // 2 - 40 : WIDTH // 2 + 40] = 255
    path = tmp_path / "narrow.mp4"
    write_video(path, iter([picture] * 5), rate=25, sound=None, pixel=Fraction(1, 2))
    (square,) = read_frames(path, 0.0, 1, (120, 120), 25)
    white = np.flatnonzero(square[60, :, 0] > 127)
    assert (white[0], white[-1]) == (45, 74)  # a quarter of the 160 pixels that it is wide


def test_pictures_of_a_turned_phone_are_upright() -> None:
    stored = np.zeros((4, 6, 3), np.uint8)
    stored[0, 0] = 255  # its upper left corner
    assert upright(stored, -90)[0, -1].all()  # turned clockwise, as a rotation of -90 says
    assert upright(stored, 90)[-1, 0].all() and upright(stored, 180)[-1, -1].all()
    assert np.array_equal(upright(stored, 0), stored)


@pytest.mark.parametrize("late", [0.0, 0.25])
def test_sound_is_resampled_and_stays_where_it_belongs(tmp_path: Path, late: float) -> None:
    path = tmp_path / "late.mkv"
    frames = portrait(1.0, 25)
    write_video(path, frames, rate=25, sound=tone(1.0, 44_100), sound_late_s=late)
    sound = read_sound(path, 16_000)
    begin = int(np.argmax(np.abs(sound) > 0.05)) / 16_000
    assert begin == pytest.approx(late, abs=0.03)
    spectrum = np.abs(np.fft.rfft(sound[6000:14_000]))
    loudest = sorted(np.argsort(spectrum)[-2:] * 2.0)  # 8000 samples: steps of 2 Hz
    assert loudest == pytest.approx([200.0, 300.0], abs=2.1)


def test_files_without_sound_or_sense_are_refused(folder: Path) -> None:
    with pytest.raises(VideoError, match="no sound"):
        probe(folder / "mute.mp4")
    with pytest.raises(VideoError, match="unreadable"):
        read_sound(folder / "broken.mp4", 16_000)
    with pytest.raises(FileNotFoundError, match="no videos"):
        OPTIONS.jobs(folder.parent / "nothing", BlockTiming())


def test_cuts_are_found(folder: Path) -> None:
    scenes = find_scenes(folder / "cut.mp4", 4.0)
    assert [round(end, 1) for _, end in scenes] == [2.0, 4.0]


def test_a_face_is_found_with_its_mouth() -> None:
    find, name = face_finder()
    assert find is not None and "skipped" not in name
    frames = np.stack(list(portrait(0.4, 25)))
    verdict = check_face(frames, find)
    assert verdict.reason == "" and verdict.face is not None
    x0, y0, x1, y1 = mouth_of(verdict.face)
    # The photograph's mouth, by eye.
    assert x0 < 167 < x1 and y0 < 130 < y1
    crops, mouth = face_crops(frames, verdict.face)
    assert crops.shape == (10, 256, 256, 3)
    again = check_face(crops, find)
    assert again.face is not None and 100 < again.face[3] - again.face[1] < 145
    assert again.face[0] < (mouth[0] + mouth[2]) / 2 < again.face[2]
    assert check_face(np.stack(list(landscape(0.4, 25))), find).reason == "no face"


class _Ear:
    """A judge whose sound comes `late` frames after its picture, or has nothing to do with it."""

    pad = False

    def __init__(self, late: int, noise: float) -> None:
        self._late, self._noise = late, noise

    def embed(self, footage: Footage) -> tuple[torch.Tensor, torch.Tensor]:
        assert footage.frames.shape == (48, 256, 256, 3) and len(footage.sound) == 48 * 640
        torch.manual_seed(0)
        video = torch.randn(48, 64)
        return video, video.roll(self._late, 0) + self._noise * torch.randn(48, 64)


@pytest.mark.parametrize(
    ("late", "noise", "verdict"),
    [(0, 0.1, ""), (2, 0.1, ""), (7, 0.1, "out of sync"), (0, 50.0, "out of sync")],
)
def test_lips_must_fit_the_sound(late: int, noise: float, verdict: str) -> None:
    frames = np.stack(list(landscape(2.0, 24)))
    check = SyncCheck(_Ear(late, noise))
    sound = np.zeros(48 * 640, np.float32)
    assert check(frames, sound, (100, 60, 180, 140), BlockTiming()) == verdict


def test_weights_that_are_not_syncnets_stop_it_at_once(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "syncnet.model"
    torch.save({"somebody": torch.zeros(3)}, weights)
    with pytest.raises(JudgeError, match=r"syncnet.model"):
        write_videos(OPTIONS, folder, tmp_path / "shards", syncnet=weights)


def test_a_file_stays_in_its_split() -> None:
    options = VideoData()
    names = [f"speaker_{n}.mp4" for n in range(400)]
    splits = [options.split_of(name) for name in names]
    assert splits == [options.split_of(name) for name in names]
    assert 0.84 < splits.count("train") / 400 < 0.96
    assert splits.count("val") > 5 and splits.count("test") > 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"width": 100}, "steps of 16"),
        ({"blocks": 0}, "must be positive"),
        ({"val_percent": 60, "test_percent": 40}, "train on"),
    ],
)
def test_impossible_options_are_refused(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoData(**wrong)
