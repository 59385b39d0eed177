"""The picture of the person, read from a file and brought to the video's size."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from avatar_nodes.errors.configuration_error import ConfigurationError

SMALLEST_SIDE = 64
LARGEST_PIXELS = 64_000_000
_UNDER_ALPHA = (128, 128, 128)


class ReferencePictureError(ConfigurationError):
    """A reference picture that cannot be used; one line that names the file and the reason."""


def load_reference(source: str | Path | BytesIO, *, width: int, height: int) -> np.ndarray:
    """The picture in a file, or in the bytes of one, as uint8 RGB [height, width, 3].

    A picture of that very size is taken as it is. Any other is cropped around its middle to the
    video's shape and resized; transparency is laid over grey; a camera's rotation mark is obeyed.

    Raises:
        ReferencePictureError: no picture that can be read, below 64 pixels a side, or over 64
            megapixels.
    """
    path = Path("the picture") if isinstance(source, BytesIO) else Path(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # checked here
            with Image.open(source) as file:
                _check_size(path, *file.size)
                picture = _flat_rgb(ImageOps.exif_transpose(file))
    except UnidentifiedImageError:
        raise ReferencePictureError(f"{path}: no picture that can be read") from None
    except Image.DecompressionBombError:
        raise ReferencePictureError(f"{path}: over {LARGEST_PIXELS // 10**6} megapixels") from None
    except ReferencePictureError:
        raise
    except Exception as error:  # of a broken file Pillow raises whatever its parsers stumble upon
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ReferencePictureError(f"{path}: {reason or type(error).__name__}") from None
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.LANCZOS)
    return np.array(picture, dtype=np.uint8)


def _check_size(path: Path, width: int, height: int) -> None:
    if min(width, height) < SMALLEST_SIDE:
        raise ReferencePictureError(
            f"{path}: {width}x{height} pixels, expected at least {SMALLEST_SIDE} a side"
        )
    if width * height > LARGEST_PIXELS:
        limit = f"{LARGEST_PIXELS // 10**6} megapixels"
        raise ReferencePictureError(f"{path}: {width}x{height} pixels, expected at most {limit}")


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
