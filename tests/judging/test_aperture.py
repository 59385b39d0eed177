import cv2
import numpy as np
import pytest

from avatar_nodes.judging.aperture import measure_aperture
from avatar_nodes.world import (
    ACTIONS,
    Box,
    Identity,
    Performance,
    mouth_box,
    render,
    sentences,
    synthesise,
)
from avatar_nodes.world.renderer import mouth_search_box


def apertures(frames: np.ndarray, box: Box) -> np.ndarray:
    return np.array([measure_aperture(frame, box) for frame in frames], np.float32)


def clip(seed: int, frames: int = 40) -> tuple[np.ndarray, np.ndarray, tuple[int, int, int, int]]:
    """Frames, their true aperture, and where to look."""
    sentence = [s for s in sentences("val") if s.language == "en"][seed]
    action = ACTIONS[seed % len(ACTIONS)]
    performance = Performance.sample(seed, synthesise(sentence.text), frames, [(action, 1, 3)])
    identity = Identity.sample(9000 + seed)
    pictures = np.stack([render(identity, performance, n) for n in range(frames)])
    return pictures, performance.aperture, mouth_search_box(identity, leaning=action == "lean")


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def test_measured_follows_drawn_on_sharp_and_blurred_frames() -> None:
    sharp, blurred = [], []
    for seed in range(9):
        frames, truth, box = clip(seed)
        measured = apertures(frames, box)
        assert measured[truth < 0.01].max(initial=0.0) < 0.08
        sharp.append(correlation(measured, truth))
        soft = np.stack([cv2.GaussianBlur(frame, (0, 0), 2.0) for frame in frames])
        blurred.append(correlation(apertures(soft, box), truth))
    assert min(sharp) > 0.97
    assert np.mean(blurred) > 0.9


def test_scale_is_that_of_the_truth() -> None:
    frames, truth, box = clip(2)
    assert np.abs(apertures(frames, box) - truth).max() < 0.2


def test_red_brown_hair_behind_the_jaw_is_no_mouth() -> None:
    seed = next(
        s
        for s in range(500)
        if (p := Identity.sample(s)).hair_style == "long" and p.hair == (168, 84, 44)
    )
    identity = Identity.sample(seed)
    assert (
        measure_aperture(render(identity, Performance.neutral(), 0), mouth_search_box(identity))
        < 0.08
    )


def test_the_search_box_holds_the_mouth_through_every_action() -> None:
    for seed, action in enumerate(ACTIONS):
        identity = Identity.sample(seed)
        performance = Performance.sample(seed, None, 60, [(action, 0, 5)])
        x0, y0, x1, y1 = mouth_search_box(identity, leaning=action == "lean")
        for n in range(0, 60, 3):
            # The drawn box has a rim of skin around the lips: 3 pixels beside them, 4 above and
            # below.
            a0, b0, a1, b1 = mouth_box(identity, performance, n)
            assert x0 <= a0 + 3 and a1 - 3 <= x1 and y0 <= b0 + 4 and b1 - 4 <= y1


@pytest.mark.parametrize(
    ("frame", "box"),
    [
        (np.zeros((8, 8), np.uint8), (0, 0, 4, 4)),
        (np.zeros((8, 8, 3), np.float32), (0, 0, 4, 4)),
        (np.zeros((8, 8, 3), np.uint8), (9, 9, 12, 12)),
    ],
)
def test_bad_input_is_refused(frame: np.ndarray, box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError):
        measure_aperture(frame, box)
