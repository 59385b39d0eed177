"""The picture of the person, read from a file and brought to the video's size.

As a program, `python -m avatar_nodes.decoding.reference_picture WIDTH HEIGHT NEEDS_FACE`, it reads
the bytes of a file and writes the picture's: `worker_picture` lets a process of its own do so,
since what strangers send may cost seconds and much memory to decode.
"""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from avatar_nodes.decoding.face_framing import Box, find_faces, frame_around
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.profile.people import shipped_picture

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF")
"""What is read; of Pillow's other plug-ins, some of which start programs, none is asked."""
SMALLEST_SIDE = 64
LARGEST_PIXELS = 10_000_000
"""That are decoded. A JPEG may have more: of each side, a half, a quarter or an eighth is decoded.
"""
LARGEST_JPEG = 50_000_000
LARGEST_FILE = 64 << 20
_NO_FACE = (
    "no face seen from the front was found; the order to take the middle of the picture all the"
    " same is framing MIDDLE"
)
_UNDER_ALPHA = (128, 128, 128)
_WORKER_BYTES = 2 << 30
_WORKER_S = 20.0


class ReferencePictureError(ConfigurationError):
    """A reference picture that cannot be used; one line that names the file and the reason."""


@dataclass(frozen=True)
class FramedPicture:
    """pixels: uint8 RGB [height, width, 3]. said: what was done to have them, in one line."""

    pixels: np.ndarray
    said: str


def load_reference(source: str | Path | BytesIO, *, width: int, height: int) -> np.ndarray:
    """`framed_reference`'s pixels; of a picture without a face its middle is taken.

    Raises:
        ReferencePictureError: as `framed_reference`.
    """
    return framed_reference(source, width=width, height=height, needs_face=False).pixels


def framed_reference(
    source: str | Path | BytesIO, *, width: int, height: int, needs_face: bool = True
) -> FramedPicture:
    """The picture in a file, or in the bytes of one, at the video's size.

    A picture of that very size is taken as it is. Of any other the part is taken that frames its
    largest face as the model expects, and resized. Transparency is laid over grey; a camera's
    rotation mark and colour profile are obeyed.

    Args:
        needs_face: refuse a picture without a face that is seen from the front; else its middle is
            taken, as it is where no detector (dlib-bin) is installed.

    Raises:
        ReferencePictureError: no regular file of FORMATS that can be read, below 64 pixels a side,
            over 10 megapixels (a JPEG: 50) or 64 MiB, or without a face.
    """
    if isinstance(source, BytesIO):
        name, data = "the picture", source
    else:
        name, data = str(source), BytesIO(read_picture_file(source))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # checked here
            with Image.open(data, formats=FORMATS) as file:
                _check_size(name, file, enough=2 * max(width, height))
                picture = _flat_rgb(ImageOps.exif_transpose(_in_srgb(file)))
    except UnidentifiedImageError:
        raise ReferencePictureError(f"{name}: no picture that can be read") from None
    except Image.DecompressionBombError:
        raise ReferencePictureError(f"{name}: {_too_large()}") from None
    except ReferencePictureError:
        raise
    except Exception as error:  # of a broken file Pillow raises whatever its parsers stumble upon
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ReferencePictureError(f"{name}: {reason or type(error).__name__}") from None
    if picture.size == (width, height):
        return FramedPicture(np.array(picture, dtype=np.uint8), f"as it is, {width}x{height}")
    faces = find_faces(picture)
    if faces:
        box = frame_around(faces[0], picture.size, aspect=width / height)
        said = "framed around the face"
        if len(faces) > 1:
            said = f"framed around the largest of {len(faces)} faces"
    else:
        if needs_face and faces is not None:
            raise ReferencePictureError(f"{name}: {_NO_FACE}")
        box, said = _middle(picture.size, width / height), "its middle is taken"
        said += "; no face was found" if faces is not None else "; no detector of faces (dlib-bin)"
    said += f" ({box.width:.0f}x{box.height:.0f} pixels of {picture.width}x{picture.height})"
    corners = (box.left, box.top, box.right, box.bottom)
    resized = picture.resize((width, height), Image.Resampling.LANCZOS, box=corners)
    return FramedPicture(np.array(resized, dtype=np.uint8), said)


def _middle(size: tuple[int, int], aspect: float) -> Box:
    height = min(size[1], size[0] / aspect)
    width = height * aspect
    left, top = (size[0] - width) / 2, (size[1] - height) / 2
    return Box(left, top, left + width, top + height)


def read_picture_file(path: str | Path) -> bytes:
    """The bytes of a picture file. Raises ReferencePictureError: no regular file, or too large a
    one; a pipe or a device is not waited for."""
    try:
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ReferencePictureError(f"{path}: no regular file")
            if found.st_size > LARGEST_FILE:
                raise ReferencePictureError(f"{path}: over {LARGEST_FILE >> 20} MiB")
            return file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if isinstance(error, ReferencePictureError):
            raise
        reason = getattr(error, "strerror", None) or str(error)
        name = str(path)[:200] if str(path).isprintable() else repr(str(path)[:200])
        raise ReferencePictureError(f"{name}: {reason}") from None


def listed_picture(name: str, reference: str) -> Path:
    """The file that a stranger may mean by `name`: one beside the avatar's own `reference`, or a
    shipped person's.

    Raises:
        ReferencePictureError: any other.
    """
    folder, path = Path(reference).absolute().parent, Path(name)
    if path.name in ("", "..") or "\0" in name or folder / path.name != folder / path:
        shown = name[:200]
        raise ReferencePictureError(
            f"path: expected a file beside the reference, or a shipped person, got {shown!r}"
        )
    return shipped_picture(name) or folder / path.name


def worker_picture(
    data: bytes, *, width: int, height: int, needs_face: bool = True
) -> FramedPicture:
    """`framed_reference` of the bytes of a file, in a process that may take 20 s and 2 GiB.

    Raises:
        ReferencePictureError: see there; also if the process did not come to an end.
    """
    if len(data) > LARGEST_FILE:
        raise ReferencePictureError(f"the picture: over {LARGEST_FILE >> 20} MiB")
    command = [sys.executable, "-m", __spec__.name, str(width), str(height), str(int(needs_face))]
    single = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, env=single, timeout=_WORKER_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise ReferencePictureError(f"the picture: not read within {_WORKER_S:g} s") from None
    if done.returncode:
        *_, said = done.stderr.decode(errors="replace").strip().splitlines() or ["it ended"]
        raise ReferencePictureError(said[:300])
    line, _, pixels = done.stdout.partition(b"\n")
    picture = np.frombuffer(bytearray(pixels), np.uint8).reshape(height, width, 3)
    return FramedPicture(picture, line.decode())


def _in_srgb(file: Image.Image) -> Image.Image:
    """A picture with a colour profile in the colours of screens; of a broken profile nothing."""
    profile = file.info.get("icc_profile")
    if not profile or file.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return file
    mode = "RGBA" if file.mode == "RGBA" else "RGB"
    try:
        own = ImageCms.ImageCmsProfile(BytesIO(profile))
        screen = ImageCms.createProfile("sRGB")
        changed = ImageCms.profileToProfile(file, own, screen, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return file
    if changed is None:
        return file
    changed.info["exif"] = file.info.get("exif", b"")
    return changed


def _check_size(name: str, file: Image.Image, *, enough: int) -> None:
    """By the header alone, before anything is decoded; a large JPEG is told to decode less of it,
    still `enough` pixels a side."""
    width, height = file.size
    if min(width, height) < SMALLEST_SIDE:
        raise ReferencePictureError(
            f"{name}: {width}x{height} pixels, expected at least {SMALLEST_SIDE} a side"
        )
    is_jpeg = file.format in ("JPEG", "MPO")
    if is_jpeg and width * height <= LARGEST_JPEG:
        file.draft("RGB", (enough, enough))
    if file.size[0] * file.size[1] > LARGEST_PIXELS:
        raise ReferencePictureError(f"{name}: {width}x{height} pixels, {_too_large()}")


def _too_large() -> str:
    millions = LARGEST_PIXELS // 10**6, LARGEST_JPEG // 10**6
    return f"expected at most {millions[0]} megapixels (JPEG: {millions[1]})"


def _flat_rgb(picture: Image.Image) -> Image.Image:
    """8-bit RGB without transparency, of any mode that Pillow reads."""
    if picture.mode.startswith("I") or picture.mode == "F":  # 16 bits a pixel, or more
        deep = np.asarray(picture, dtype=np.float64)
        full = 65535.0 if deep.max(initial=0.0) > 255.0 else 255.0
        grey = np.clip(np.nan_to_num(deep) * (255.0 / full), 0.0, 255.0)
        return Image.fromarray(grey.round().astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (*_UNDER_ALPHA, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")


def main() -> None:
    """Bytes of a file in; out a line of what was done and the picture's bytes, or, with exit code
    1, what is wrong in one line.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, _WORKER_BYTES))
    width, height, needs_face = map(int, sys.argv[1:])
    data = BytesIO(sys.stdin.buffer.read())
    try:
        picture = framed_reference(data, width=width, height=height, needs_face=bool(needs_face))
    except (ReferencePictureError, MemoryError) as error:
        sys.exit(str(error) or "the picture: it takes too much memory")
    sys.stdout.buffer.write(picture.said.encode() + b"\n" + picture.pixels.tobytes())


if __name__ == "__main__":
    main()
