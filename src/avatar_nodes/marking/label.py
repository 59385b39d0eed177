"""Draws the visible mark: a few words in a corner of the picture."""

from __future__ import annotations

from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avatar_nodes.errors.configuration_error import ConfigurationError

Corner = Literal["top_left", "top_right", "bottom_left", "bottom_right"]

_SMALLEST_TEXT, _TEXT_SHARE = 11, 0.042
"""Height of the letters: pixels, and share of the picture's height."""
_PADDING_SHARE, _MARGIN_SHARE = 0.35, 0.5
_BOX_ALPHA, _TEXT_ALPHA = 0.45, 0.95
_WHITE = 255


class LabelError(ConfigurationError):
    """A label that cannot be drawn; one line."""


class Label:
    """White words on a dark, translucent box, readable on every background.

    Args:
        text: one line, in letters of Western European languages (Pillow's own font).

    Raises:
        LabelError: the text is empty or has more than one line.
    """

    def __init__(self, text: str = "AI generated", corner: Corner = "bottom_right") -> None:
        if not text.strip() or "\n" in text:
            raise LabelError(f"label {text!r}: expected one line of text")
        self._text = text.strip()
        self._corner = corner
        self._size = (0, 0)
        self._keep = self._ink = np.zeros((0, 0, 1), np.uint16)
        self._box = (slice(0), slice(0))

    def draw(self, frame: np.ndarray) -> None:
        """Draw into a writable uint8 RGB frame [H, W, 3].

        Raises:
            LabelError: the picture is too small for the words.
        """
        if frame.shape[:2] != self._size:
            self._lay_out(*frame.shape[:2])
        part = frame[self._box]
        part[:] = (part * self._keep + self._ink) >> 8

    def _lay_out(self, height: int, width: int) -> None:
        """Work out what is kept of the pixels below and what is added, in 1/256."""
        words = self._words(max(_SMALLEST_TEXT, round(height * _TEXT_SHARE)))
        rows, columns = words.shape
        margin = round(_MARGIN_SHARE * rows / 2)
        if rows + 2 * margin > height or columns + 2 * margin > width:
            raise LabelError(f"label '{self._text}' does not fit into {width}x{height} pixels")
        top = margin if "top" in self._corner else height - margin - rows
        left = margin if "left" in self._corner else width - margin - columns
        self._box = (slice(top, top + rows), slice(left, left + columns))
        ink = words * _TEXT_ALPHA
        self._ink = np.rint(ink * _WHITE * 256)[..., None].astype(np.uint16)
        keep = (1.0 - _BOX_ALPHA) * (1.0 - ink)
        self._keep = np.rint(keep * 256)[..., None].astype(np.uint16)
        self._size = (height, width)

    def _words(self, size: int) -> np.ndarray:
        """Coverage of each pixel of the box by letters, float [rows, columns], 0 to 1."""
        font = ImageFont.load_default(size)
        padding = round(_PADDING_SHARE * size)
        left, top, right, bottom = (round(edge) for edge in font.getbbox(self._text))
        box = Image.new("L", (right - left + 2 * padding, bottom - top + 2 * padding))
        ImageDraw.Draw(box).text((padding - left, padding - top), self._text, _WHITE, font)
        return np.asarray(box, np.float64) / _WHITE
