"""Reference pictures of every kind, and what is no picture."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from avatar_nodes.decoding import reference_picture
from avatar_nodes.decoding.reference_picture import (
    FORMATS,
    ReferencePictureError,
    listed_picture,
    load_reference,
    worker_picture,
)
from avatar_nodes.profile.people import shipped_people

PIXELS = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)


def _load(path: Path) -> np.ndarray:
    return load_reference(path, width=128, height=128)


def test_a_picture_of_the_video_s_size_is_taken_as_it_is(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    picture = _load(tmp_path / "a.png")
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, PIXELS)


def test_another_shape_is_cropped_around_its_middle(tmp_path: Path) -> None:
    wide = np.zeros((128, 300, 3), np.uint8)
    wide[:, 86:214] = PIXELS
    Image.fromarray(wide).save(tmp_path / "a.png")
    assert np.array_equal(_load(tmp_path / "a.png"), PIXELS)


def test_transparency_is_laid_over_grey(tmp_path: Path) -> None:
    alpha = np.full((128, 128, 1), 255, np.uint8)
    alpha[:64] = 0
    Image.fromarray(np.concatenate([PIXELS, alpha], axis=2)).save(tmp_path / "a.png")
    picture = _load(tmp_path / "a.png")
    assert (picture[:64] == 128).all()
    assert np.array_equal(picture[64:], PIXELS[64:])


def test_a_palette_with_transparency(tmp_path: Path) -> None:
    palette = Image.new("P", (128, 128), 0)
    palette.putpalette([10, 20, 30] + [0] * 765)
    palette.save(tmp_path / "a.png", transparency=0)
    assert (_load(tmp_path / "a.png") == 128).all()


def test_grey_of_8_and_16_bits(tmp_path: Path) -> None:
    grey = PIXELS[..., 0]
    Image.fromarray(grey).save(tmp_path / "8.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "16.png")
    for name in ("8.png", "16.png"):
        assert np.array_equal(_load(tmp_path / name), np.repeat(grey[..., None], 3, axis=2))


def test_a_camera_s_rotation_mark_is_obeyed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(_load(tmp_path / "a.png"), np.rot90(PIXELS, k=-1))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no picture that can be read"),
        (b"not a picture at all", "no picture that can be read"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "no picture that can be read"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(ReferencePictureError, match=f"a.png: {reason}"):
        _load(file)


def test_a_truncated_picture(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(file)
    file.write_bytes(file.read_bytes()[:9000])
    with pytest.raises(ReferencePictureError, match=r"a\.png: .*truncated"):
        _load(file)


def test_one_pixel_and_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.png"
    Image.new("RGB", (1, 1)).save(file)
    with pytest.raises(ReferencePictureError, match="1x1 pixels, expected at least 64 a side"):
        _load(file)
    Image.new("L", (9000, 9000)).save(file)
    with pytest.raises(ReferencePictureError, match="9000x9000 pixels, expected at most 10 meg"):
        _load(file)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own guard, twice exceeded
    with pytest.raises(ReferencePictureError, match=r"a\.png: .*megapixels"):
        reference_picture.load_reference(file, width=128, height=128)


@pytest.mark.parametrize("name", ["nothing.png", "."])
def test_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReferencePictureError, match=r"No such file|Is a directory"):
        _load(tmp_path / name)


@pytest.mark.parametrize("kind", FORMATS)
def test_the_formats_of_cameras_and_browsers(tmp_path: Path, kind: str) -> None:
    smooth = np.repeat(np.linspace(0, 255, 128, dtype=np.uint8)[:, None], 128, axis=1)
    Image.fromarray(smooth).convert("RGB").save(tmp_path / "a", format=kind)
    picture = _load(tmp_path / "a").astype(int)
    assert np.abs(picture - smooth[..., None]).max() < 16


@pytest.mark.parametrize("kind", ["EPS", "GIF", "TIFF", "BMP", "PPM", "TGA", "PDF", "ICO"])
def test_no_other_plug_in_is_asked(tmp_path: Path, kind: str) -> None:
    """Pillow's one for EPS starts a Ghostscript that it finds on PATH."""
    Image.fromarray(PIXELS).save(tmp_path / "a.png", format=kind)
    with pytest.raises(ReferencePictureError, match="no picture that can be read"):
        _load(tmp_path / "a.png")


def test_a_photograph_of_a_telephone_is_decoded_in_part(tmp_path: Path) -> None:
    file, grey = tmp_path / "a.jpg", Image.new("L", (8000, 6000), 90)
    grey.save(file)
    assert (_load(file) == 90).all()
    Image.new("L", (9000, 9000)).save(file)
    with pytest.raises(ReferencePictureError, match=r"at most 10 megapixels \(JPEG: 50\)"):
        _load(file)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ReferencePictureError, match="no regular file"):
        _load(tmp_path / "a.png")


def test_a_worker_reads_it_as_we_do() -> None:
    data = io.BytesIO()
    Image.fromarray(PIXELS).resize((300, 200)).save(data, "PNG")
    here = load_reference(io.BytesIO(data.getvalue()), width=128, height=128)
    there = worker_picture(data.getvalue(), width=128, height=128, needs_face=False)
    assert np.array_equal(there.pixels, here)
    assert there.said.startswith("its middle is taken; no face was found")
    with pytest.raises(ReferencePictureError, match=r"^the picture: no picture that can be read$"):
        worker_picture(b"GIF89a", width=128, height=128)


@pytest.mark.parametrize(
    "name", ["/etc/shadow", "../a.png", "sub/a.png", "", ".", "..", "a\0b", "/dev/zero"]
)
def test_strangers_name_no_file_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReferencePictureError, match="expected a file beside the reference"):
        listed_picture(name, str(tmp_path / "own.png"))


def test_strangers_name_files_beside_the_reference(tmp_path: Path) -> None:
    for name in ("a.png", str(tmp_path / "a.png")):
        assert listed_picture(name, str(tmp_path / "own.png")) == tmp_path / "a.png"


def test_strangers_name_shipped_people(tmp_path: Path) -> None:
    for person in shipped_people():
        assert listed_picture(person.name, str(tmp_path / "own.png")) == person.picture


def test_a_picture_may_come_as_the_bytes_of_its_file(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    data = io.BytesIO((tmp_path / "a.png").read_bytes())
    assert np.array_equal(load_reference(data, width=128, height=128), PIXELS)


@pytest.mark.parametrize("data", [b"", b"no picture at all", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_bytes_that_are_no_picture_are_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(ReferencePictureError, match=r"^the picture: ") as caught:
        load_reference(io.BytesIO(data), width=128, height=128)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (struct.error("unpack requires a buffer"), "unpack requires a buffer"),
        (OSError(), "OSError"),
    ],
)
def test_whatever_a_parser_stumbles_upon_is_an_error_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    """Some versions of Pillow raise struct.error for a camera's notes that are cut short."""
    Image.fromarray(PIXELS).save(tmp_path / "a.png")

    def stumbles(_: object) -> None:
        raise error

    monkeypatch.setattr(reference_picture.ImageOps, "exif_transpose", stumbles)
    with pytest.raises(ReferencePictureError, match=rf"a\.png: {said}$"):
        _load(tmp_path / "a.png")
