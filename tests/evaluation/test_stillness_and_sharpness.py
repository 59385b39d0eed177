"""Stillness and sharpness on performers whose quality is known: each spoilt input is noticed."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from avatar_nodes.evaluation.performers import Performer, StillPerformer, TruthPerformer
from avatar_nodes.evaluation.sharpness import PARTS, evaluate_sharpness
from avatar_nodes.evaluation.stillness import evaluate_stillness
from avatar_nodes.judging.detail import gradient_energy
from avatar_nodes.judging.footage import Footage
from avatar_nodes.world.clips import Clip, ClipSpec

Spoil = Callable[[np.ndarray, Clip], np.ndarray]


class Spoilt:
    """The truth, changed."""

    evaluations = None

    def __init__(self, name: str, spoil: Spoil) -> None:
        self.name = name
        self._spoil = spoil

    def perform(self, clip: Clip, *, seed: int = 0) -> Footage:
        return Footage.of(clip, self._spoil(clip.frames.copy(), clip))


def shimmering_wall(frames: np.ndarray, clip: Clip) -> np.ndarray:
    wall = cv2.absdiff(clip.frame(0), clip.room()).max(axis=2) == 0
    frames[::2, wall] = np.minimum(frames[::2, wall], 245) + 10
    return frames


def noisy(frames: np.ndarray, clip: Clip) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0.0, 16.0, frames.shape)
    return np.clip(frames + noise, 0, 255).astype(np.uint8)


def blurred(frames: np.ndarray, clip: Clip) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in frames])


def smeared_hands(frames: np.ndarray, clip: Clip) -> np.ndarray:
    for n, frame in enumerate(frames):
        for x0, y0, x1, y1 in clip.hand_boxes(n):
            part = frame[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
            part[:] = cv2.blur(part, (9, 9)) if part.size else part
    return frames


def test_walls_and_clothes_that_flicker_are_measured_apart() -> None:
    performers: list[Performer] = [
        Spoilt("shimmering wall", shimmering_wall), Spoilt("noise", noisy), StillPerformer()
    ]  # fmt: skip
    told: list[str] = []
    figures = evaluate_stillness(performers, clips=1, blocks=5, tell=told.append)
    rows = figures["systems"]
    assert next(iter(rows)) == "truth" and len(told) == 4
    assert rows["truth"]["stillness"] < 0.2 and rows["truth"]["stillness_of_truth"] == 1.0
    assert rows["copy of the reference"]["stillness"] == 0.0
    wall = rows["shimmering wall"]
    assert wall["walls"] > 8.0 and wall["clothes"] < 1.0 and wall["walls_of_truth"] > 50.0
    assert rows["noise"]["walls"] > 8.0 and rows["noise"]["clothes"] > 8.0


def test_blur_and_hands_that_are_smeared_are_noticed() -> None:
    performers: list[Performer] = [
        TruthPerformer(), Spoilt("blur", blurred), Spoilt("hands", smeared_hands), StillPerformer()
    ]  # fmt: skip
    rows = evaluate_sharpness(performers, people=1, tell=str)["systems"]
    assert all(rows["truth"][part] == 1.0 for part in PARTS)
    assert all(rows["blur"][part] < 0.6 for part in PARTS)
    assert rows["hands"]["hands"] < 0.6 and rows["hands"]["face"] > 0.9
    still = rows["copy of the reference"]
    assert still["hands"] < 0.5 and still["things"] < 0.5, "where none came"


def test_noise_is_no_sharpness() -> None:
    clip = Clip(ClipSpec(3, "test", 2, 800_000_007, ()))
    frame, box = clip.frame(0), clip.face_box(0)
    energy = gradient_energy(frame, [box])
    assert gradient_energy(noisy(frame[None], clip)[0], [box]) > 1.05 * energy
    assert gradient_energy(frame, [box, (400, 0, 500, 90), (-9, -9, -2, -2)]) == energy
