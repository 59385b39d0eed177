"""PSNR, SSIM, Frechet distance and colour shift where the answer is known."""

import cv2
import numpy as np
import pytest

from avatar_nodes.evaluation.colour import colour_shift, sharpness
from avatar_nodes.evaluation.frechet import frechet_distance
from avatar_nodes.judging.image_quality import psnr, ssim


@pytest.fixture
def video() -> np.ndarray:
    """uint8 [2, 48, 64, 3]: smooth enough that blur changes it and does not destroy it."""
    noise = np.random.default_rng(0).uniform(40, 210, (2, 12, 16, 3)).astype(np.float32)
    return np.stack([cv2.resize(n, (64, 48), interpolation=cv2.INTER_CUBIC) for n in noise]).astype(
        np.uint8
    )


def test_psnr_of_a_known_error(video: np.ndarray) -> None:
    assert psnr(video, video) == pytest.approx(100.0)
    shifted = (np.clip(video, 20, 200) + 5).astype(np.uint8)
    expected = 10 * np.log10(255.0**2 / 25.0)
    assert psnr(shifted, np.clip(video, 20, 200)) == pytest.approx(expected, abs=1e-4)


def test_ssim_falls_with_blur_and_noise_and_ignores_little_light(video: np.ndarray) -> None:
    blurred = np.stack([cv2.GaussianBlur(frame, (0, 0), 3.0) for frame in video])
    noise = np.random.default_rng(1).integers(-60, 60, video.shape)
    noisy = np.clip(video.astype(int) + noise, 0, 255).astype(np.uint8)
    assert ssim(video, video) == pytest.approx(1.0)
    assert ssim(video, np.clip(video, 0, 250) + 3) > 0.98
    assert ssim(blurred, video) < 0.8
    assert ssim(noisy, video) < 0.6


def test_frechet_distance_of_gaussians_in_closed_form() -> None:
    """Equal covariance: the squared distance of the means; scaled by 2: sum of variances too."""
    rows = np.random.default_rng(2).standard_normal((400, 6))
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-8)
    assert frechet_distance(rows, rows + [3, 4, 0, 0, 0, 0]) == pytest.approx(25.0)
    centred = rows - rows.mean(axis=0)
    trace = np.cov(centred.T).trace()  # tr(C + 4C - 2 * 2C) = tr C
    assert frechet_distance(centred, 2.0 * centred) == pytest.approx(trace)
    turned = centred[:, ::-1]
    assert frechet_distance(centred, turned) == pytest.approx(frechet_distance(turned, centred))


def test_frechet_distance_refuses_what_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="features"):
        frechet_distance(np.zeros((1, 4)), np.zeros((9, 4)))
    with pytest.raises(ValueError, match="features"):
        frechet_distance(np.zeros((9, 3)), np.zeros((9, 4)))


def test_colour_shift_sees_the_whole_picture_and_no_moving_part(video: np.ndarray) -> None:
    reference = np.clip(video[0], 10, 200)
    redder = reference.astype(int) + [6, 0, 0]
    waving = reference.copy()
    waving[:20, :30] = 0
    found = colour_shift(np.stack([reference, redder.astype(np.uint8), waving]), reference)
    np.testing.assert_allclose(found, [0.0, 2.0, 0.0])
    with pytest.raises(ValueError, match="reference"):
        colour_shift(video, reference[:8])


def test_blur_is_less_sharp(video: np.ndarray) -> None:
    blurred = cv2.GaussianBlur(video[0], (0, 0), 3.0)
    found = sharpness(np.stack([video[0], blurred]), video[0])
    assert found[0] == pytest.approx(1.0)
    assert found[1] < 0.8


def test_videos_of_other_shapes_are_refused(video: np.ndarray) -> None:
    for measure in (psnr, ssim):
        with pytest.raises(ValueError, match="cannot be compared"):
            measure(video, video[:1])
