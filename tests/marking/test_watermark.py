"""The watermark cannot be seen, is read back after coding, and nothing is read where none is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.marked_pictures import h264, jpeg, scene

from avatar_nodes.marking.pattern import bits_of, number_of, signs_of
from avatar_nodes.marking.reader import WatermarkReader, WatermarkReading
from avatar_nodes.marking.watermark import Watermark

NUMBER = 4711


def read(frames: list[np.ndarray]) -> WatermarkReading:
    reader = WatermarkReader()
    for frame in frames:
        reader.add(frame)
    return reader.read()


@pytest.fixture(scope="module")
def plain() -> list[np.ndarray]:
    return scene(25)


@pytest.fixture(scope="module")
def marked(plain: list[np.ndarray]) -> list[np.ndarray]:
    watermark = Watermark(NUMBER)
    return [watermark.apply(frame) for frame in plain]


def test_it_is_faint_and_stands_still(plain: list[np.ndarray], marked: list[np.ndarray]) -> None:
    difference = np.stack(marked).astype(int) - np.stack(plain)
    psnr = 10 * np.log10(255**2 / np.mean(difference**2))
    assert psnr > 42
    unclipped = ((np.stack(plain) > 3) & (np.stack(plain) < 252)).all(axis=(0, 3))
    changes = np.ptp(difference, axis=0)[unclipped]
    assert not changes.any()
    brightness = difference @ np.array([0.299, 0.587, 0.114])
    assert np.abs(brightness[:, unclipped]).max() < 0.5


@pytest.mark.parametrize("quality", [90, 70])
def test_one_jpeg_is_enough(marked: list[np.ndarray], quality: int) -> None:
    reading = read(jpeg(marked[:1], quality))
    assert (reading.verdict, reading.number, reading.scale) == ("marked", NUMBER, 1.0)
    assert reading.confidence > 0.999999


@pytest.mark.parametrize("crf", [18, 28])
def test_it_survives_h264(marked: list[np.ndarray], crf: int) -> None:
    reading = read(h264(marked, crf))
    assert (reading.verdict, reading.number) == ("marked", NUMBER)
    assert reading.pictures == 25


def test_it_survives_scaling_and_cropping(marked: list[np.ndarray]) -> None:
    larger = [cv2.resize(frame, (384, 384), interpolation=cv2.INTER_CUBIC) for frame in marked]
    reading = read(h264(larger, 23))
    assert (reading.verdict, reading.number) == ("marked", NUMBER)
    assert reading.scale == pytest.approx(1.5, rel=0.03)
    cropped = [np.ascontiguousarray(frame[10:240, 6:250]) for frame in marked]
    assert read(h264(cropped, 18)).verdict == "marked"


def test_other_sizes_are_marked_as_well() -> None:
    frames = [cv2.resize(frame, (704, 384)) for frame in scene(2)]
    reading = read(jpeg([Watermark(9).apply(frame) for frame in frames], 75))
    assert (reading.verdict, reading.number) == ("marked", 9)


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_read_where_nothing_is(seed: int) -> None:
    frames = scene(2, seed=100 + seed)
    reading = read(jpeg(frames, 70) if seed % 2 else frames)
    assert (reading.verdict, reading.number) == ("not marked", None)
    assert reading.confidence > 0.95


def test_what_cannot_show_it_is_undecided(marked: list[np.ndarray]) -> None:
    grey = [np.repeat(frame[..., 1:2], 3, axis=2) for frame in marked[:2]]
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    for frames in (grey, [noise], [frame[:64, :64].copy() for frame in marked[:2]], []):
        reading = read(frames)
        assert (reading.verdict, reading.confidence) == ("cannot tell", 0.0), reading


def test_pictures_of_one_size_only(plain: list[np.ndarray]) -> None:
    reader = WatermarkReader()
    reader.add(plain[0])
    with pytest.raises(ValueError, match="after pictures of"):
        reader.add(plain[0][:128])


def test_numbers_carry_their_check() -> None:
    for number in (0, 1, 4711, 65535):
        bits = bits_of(number)
        assert number_of(bits) == number
        for place in range(len(bits)):
            wrong = bits.copy()
            wrong[place] ^= 1
            assert number_of(wrong) is None
    assert np.count_nonzero(signs_of(1) != signs_of(2)) > 0
    for number in (-1, 65536):
        with pytest.raises(ValueError, match="expected 0 to 65535"):
            Watermark(number)
