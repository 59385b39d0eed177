"""Pictures that speak: a mouth that lags, another person, a torn picture are each noticed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from avatar_nodes.evaluation.photo import (
    PhotoClip,
    evaluate_photos,
    judge_photo,
    read_pictures,
)
from avatar_nodes.judging.aperture import measure_aperture
from avatar_nodes.judging.clip_sync import speaking_clips
from avatar_nodes.judging.detail import torn
from avatar_nodes.judging.faces import SAME_PERSON, Face, FaceJudge
from avatar_nodes.judging.footage import Footage, JudgeError
from avatar_nodes.world.clips import Clip, ClipSpec

BLOCKS = 5


class DrawnFaces(FaceJudge):
    """Knows drawn faces: the mouth by its colour, the person by the colour of the whole."""

    def __init__(self, clip: Clip) -> None:
        self._box = clip.search_box

    def find(self, frame: np.ndarray) -> Face | None:
        if not frame.any():
            return None
        landmarks = np.zeros((68, 2), np.float32)
        landmarks[36:42], landmarks[42:48] = (100.0, 90.0), (150.0, 90.0)
        x0, y0, x1, y1 = self._box
        landmarks[48:68] = (x0, y0)
        landmarks[6:11] = (x1, y1)
        gap = 50.0 * measure_aperture(frame, self._box)
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            landmarks[lower] = landmarks[upper] + (0.0, gap)
        return Face(landmarks, None)

    def describe(self, frame: np.ndarray, face: Face) -> np.ndarray:
        return frame.mean(axis=(0, 1)) / 40.0


class Acted:
    """Shows the drawn truth of a plan's speech, changed."""

    name = "model"
    evaluations = None

    def __init__(self, change: Callable[[np.ndarray], np.ndarray]) -> None:
        self._change = change

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        return Footage.of(clip, self._change(_acted().frames.copy()))


@lru_cache
def _acted() -> Clip:
    """The drawn clip that says what `clip` says, without its actions."""
    plan = next(iter(speaking_clips(1, BLOCKS, "test")))
    return Clip(replace(plan.spec, actions=(), thing=None), speech=plan.speech)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return next(iter(speaking_clips(1, BLOCKS, "test")))


def photographed(clip: Clip, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    faces = DrawnFaces(clip)
    plan = PhotoClip(clip.spec, picture=clip.reference(), speech=clip.speech)
    face = faces.find(clip.reference())
    assert face is not None
    frames = Acted(change).perform(plan).frames
    return judge_photo(plan, frames, faces, face, faces.describe(clip.reference(), face))


def late(frames: np.ndarray) -> np.ndarray:
    return np.concatenate([np.repeat(frames[:1], 4, axis=0), frames[:-4]])


def another(frames: np.ndarray) -> np.ndarray:
    return np.clip(frames.astype(int) + 40, 0, 255).astype(np.uint8)


def cut(frames: np.ndarray) -> np.ndarray:
    """The lower part of each picture stands aside, as where a warp tears."""
    frames[:, 200:] = np.roll(frames[:, 200:], 60, axis=2)
    return frames


def vanishing(frames: np.ndarray) -> np.ndarray:
    frames[len(frames) // 2 :] = 0
    return frames


def test_each_fault_has_its_figure(clip: Clip) -> None:
    good = photographed(clip, lambda frames: frames)
    assert good["mouth_corr"] > 0.9 and good["mouth_lag"] == 0 and good["swing"] > 0.2
    assert good["same_person"] == good["face_found"] == 1.0
    lagging = photographed(clip, late)
    assert lagging["mouth_lag"] == 4 and lagging["mouth_corr"] < 0.7
    other = photographed(clip, another)
    assert other["distance"] > SAME_PERSON and other["same_person"] == 0.0
    assert photographed(clip, cut)["torn"] > 5 * good["torn"] + 0.002
    half = photographed(clip, vanishing)
    assert half["face_found"] == 0.5 and half["same_person"] <= 0.5
    still = photographed(clip, lambda frames: np.repeat(clip.reference()[None], 60, axis=0))
    assert still["mouth_corr"] == still["swing"] == still["torn"] == 0.0


def test_a_picture_that_moves_is_not_torn(clip: Clip) -> None:
    picture = clip.reference()
    moved = cv2.warpAffine(
        picture, np.array([[1.0, 0.02, 4.0], [-0.02, 1.0, 2.0]]), (256, 256),
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    assert torn(moved[None], picture) < 0.001
    halved = moved.copy()
    halved[100:] = np.roll(halved[100:], 40, axis=1)
    assert torn(halved[None], picture) > 0.004
    assert torn(halved[None], picture, but=[(0, 0, 256, 256)]) == 0.0
    with pytest.raises(ValueError, match="frames"):
        torn(moved[None, :64], picture)


def test_pictures_are_compared_with_the_unmoved_and_with_each_other(clip: Clip) -> None:
    pictures = {"a.png": clip.reference(), "b.png": another(clip.reference()[None])[0]}
    figures = evaluate_photos(
        Acted(lambda frames: frames), pictures, DrawnFaces(clip), clips=1, blocks=BLOCKS, tell=str
    )
    assert list(figures["pictures"]) == ["a.png", "b.png"]
    still = figures["baselines"]["copy of the reference"]
    assert still["mouth_corr"] == 0.0 and still["same_person"] == 1.0
    assert figures["pictures"]["b.png"]["same_person"] == 0.0, "a's truth is not b"
    assert figures["pictures"]["a.png"]["stranger"] > SAME_PERSON
    assert figures["same_person_below"] == SAME_PERSON


def test_of_a_picture_there_is_no_truth(clip: Clip) -> None:
    plan = PhotoClip(
        ClipSpec(1, "test", BLOCKS, 0, (("wave", 1, 3),)), picture=clip.reference()
    )  # fmt: skip
    assert plan.spec.actions == () and len(set(plan.prompts)) == 1
    with pytest.raises(NotImplementedError):
        plan.frame(0)


def test_pictures_without_a_face_are_named(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="no PNG, JPEG"):
        read_pictures(tmp_path, width=64, height=64)
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    (tmp_path / "notes.txt").write_text("no picture")
    pytest.importorskip("dlib", reason="no dlib-bin here")
    with pytest.raises(JudgeError, match=r"wall\.png: .*no face"):
        read_pictures(tmp_path, width=64, height=64)


def test_published_networks_tell_people_apart() -> None:
    """And find mouths, where the package is installed."""
    data = pytest.importorskip(
        "skimage.data", reason="its portrait is in requirements/training.txt"
    )
    try:
        faces = FaceJudge()
    except JudgeError as error:
        pytest.skip(str(error))
    portrait = np.ascontiguousarray(data.astronaut()[:300, 80:380])
    face = faces.find(portrait)
    assert face is not None and 30 < face.eye_distance < 90 and face.opening < 0.5
    vector = faces.describe(portrait, face)
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    there = faces.find(mirrored)
    assert there is not None
    assert np.linalg.norm(faces.describe(mirrored, there) - vector) < SAME_PERSON
    assert faces.find(np.zeros((128, 128, 3), np.uint8)) is None
    vectors = faces.embed(np.stack([portrait, np.zeros_like(portrait)]))
    assert vectors[0].norm() == pytest.approx(1.0) and not vectors[1].any()
