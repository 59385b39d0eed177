"""A reference picture is framed around its largest face; one without a face is refused."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from avatar_nodes.decoding.face_framing import Box, find_faces, frame_around
from avatar_nodes.decoding.reference_picture import (
    FramedPicture,
    ReferencePictureError,
    framed_reference,
    worker_picture,
)
from avatar_nodes.world import Identity, Performance, render

pytest.importorskip("dlib", reason="no dlib-bin here")

GREY = (190, 190, 200)


def person(seed: int, side: int) -> Image.Image:
    picture = Image.fromarray(render(Identity.sample(seed), Performance.neutral(), 0))
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def canvas(size: tuple[int, int], *people: tuple[Image.Image, tuple[int, int]]) -> io.BytesIO:
    picture = Image.new("RGB", size, GREY)
    for one, place in people:
        picture.paste(one, place)
    data = io.BytesIO()
    picture.save(data, "PNG")
    return data


def framed(data: io.BytesIO, **options: bool) -> FramedPicture:
    return framed_reference(io.BytesIO(data.getvalue()), width=256, height=256, **options)


def only_face(picture: FramedPicture) -> Box:
    faces = find_faces(Image.fromarray(picture.pixels))
    assert faces
    return faces[0]


@pytest.mark.parametrize(
    ("size", "place"), [((600, 1600), (40, 0)), ((1400, 500), (900, 20)), ((520, 520), (0, 0))]
)
def test_a_face_away_from_the_middle_is_framed_as_those_of_training(
    size: tuple[int, int], place: tuple[int, int]
) -> None:
    picture = framed(canvas(size, (person(3, 480), place)))
    assert picture.said.startswith("framed around the face (")
    assert f"pixels of {size[0]}x{size[1]})" in picture.said
    face = only_face(picture)
    assert 0.25 < face.height / 256 < 0.45
    assert (face.left + face.right) / 2 / 256 == pytest.approx(0.5, abs=0.1)
    assert (face.top + face.bottom) / 2 / 256 == pytest.approx(0.42, abs=0.1)


def test_a_face_at_the_edge_stays_whole() -> None:
    """The person's left half of shoulders is outside of the photograph."""
    picture = framed(canvas((500, 700), (person(3, 480), (150, 200))))
    face = only_face(picture)
    assert face.left > 4 and face.right < 252


def test_of_several_faces_the_largest_is_taken() -> None:
    data = canvas((1000, 500), (person(3, 300), (20, 100)), (person(8, 480), (450, 10)))
    picture = framed(data)
    assert picture.said.startswith("framed around the largest of 2 faces")
    alone = framed(canvas((1000, 500), (person(8, 480), (450, 10))))
    difference = picture.pixels.astype(float) - alone.pixels
    assert np.abs(difference).mean() < 4.0


def test_a_photograph() -> None:
    data = pytest.importorskip("skimage.data", reason="no scikit-image here")
    file = io.BytesIO()
    Image.fromarray(data.astronaut()).save(file, "JPEG")
    assert 0.25 < only_face(framed(file)).height / 256 < 0.45


def test_without_a_face_it_is_refused_unless_its_middle_is_asked_for() -> None:
    data = canvas((300, 200))
    with pytest.raises(ReferencePictureError, match="no face seen from the front was found"):
        framed(data)
    with pytest.raises(ReferencePictureError, match="framing MIDDLE"):
        worker_picture(data.getvalue(), width=128, height=128)
    taken = framed(data, needs_face=False)
    assert taken.said == "its middle is taken; no face was found (200x200 pixels of 300x200)"
    assert (taken.pixels == GREY).all()


def test_of_the_video_s_size_it_is_taken_as_it_is() -> None:
    assert framed(canvas((256, 256))).said == "as it is, 256x256"


def test_where_no_detector_is_the_middle_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    said = framed(canvas((600, 300), (person(3, 300), (0, 0)))).said
    assert (
        said == "its middle is taken; no detector of faces (dlib-bin) (300x300 pixels of 600x300)"
    )


@given(
    size=st.tuples(st.integers(64, 3000), st.integers(64, 3000)),
    place=st.tuples(*[st.floats(0.0, 1.0)] * 3),
    aspect=st.floats(0.5, 2.0),
)
def test_the_frame_lies_within_the_picture_and_holds_the_face(
    size: tuple[int, int], place: tuple[float, float, float], aspect: float
) -> None:
    side = 8 + place[2] * (min(size) / 2 - 8)  # half of the shorter side: it fits in any aspect
    left, top = place[0] * (size[0] - side), place[1] * (size[1] - side)
    face = Box(left, top, left + side, top + side)
    frame = frame_around(face, size, aspect=aspect)
    assert frame.width == pytest.approx(aspect * frame.height)
    assert -1e-6 <= frame.left <= face.left + 1e-6 and face.right <= frame.right + 1e-6
    assert -1e-6 <= frame.top <= face.top + 1e-6 and face.bottom <= frame.bottom + 1e-6
    assert frame.right <= size[0] + 1e-6 and frame.bottom <= size[1] + 1e-6


def test_a_colour_profile_is_obeyed_and_a_broken_one_ignored() -> None:
    """A profile whose red is a screen's blue: what it calls red is blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = profile.replace(b"rXYZ", b"?XYZ").replace(b"bXYZ", b"rXYZ").replace(b"?XYZ", b"bXYZ")
    red = Image.new("RGB", (256, 256), (255, 0, 0))
    pixel = {}
    for name, icc in (("plain", profile), ("swapped", swapped), ("broken", b"no profile")):
        data = io.BytesIO()
        red.save(data, "PNG", icc_profile=icc)
        pixel[name] = framed(data).pixels[128, 128].tolist()
    assert pixel["plain"] == pixel["broken"] == [255, 0, 0]
    assert pixel["swapped"][2] > 200 > 60 > pixel["swapped"][0]
