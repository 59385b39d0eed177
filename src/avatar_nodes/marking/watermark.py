"""Adds the invisible mark: a faint blue and yellow pattern, the same in every picture."""

from __future__ import annotations

import cv2
import numpy as np

from avatar_nodes.marking.pattern import TILE, signs_of

BLUE_STEP = 3
"""Added to or taken from blue, in steps of 8 bits."""
GREEN_STEP = 1
"""Taken from or added to green, so that the brightness stays."""
CB_STEP = 0.5 * BLUE_STEP + 0.331264 * GREEN_STEP
"""Change of Cb by that, in steps of 8 bits."""


class Watermark:
    """Spread spectrum in the blue-yellow channel, the same in each picture.

    After JAWS (Kalker, Depovere, Haitsma and Maes, "A video watermarking system for broadcast
    monitoring", SPIE 3657, 1999) and Cox, Kilian, Leighton and Shamoon ("Secure spread spectrum
    watermarking for multimedia", IEEE Trans. Image Processing 6(12), 1997): a pattern of +1 and -1
    is added to the picture and found again by correlation. The same in every picture, it does not
    flicker, inter-picture coding keeps it, and a reader may add the pictures up. In Cb, where the
    eye sees fine detail worst, and in cells as large as H.264's chroma blocks, which coders keep.

    Args:
        number: 0 to 65535, read back with the mark.

    Raises:
        ValueError: the number is out of range.
    """

    def __init__(self, number: int = 0) -> None:
        self._signs = signs_of(number)
        self._size = (0, 0)
        self._add = self._take = np.zeros((0, 0, 3), np.uint8)

    def apply(self, frame: np.ndarray) -> np.ndarray:
        """A marked copy of a uint8 RGB frame [H, W, 3]."""
        if frame.shape[:2] != self._size:
            self._lay_out(*frame.shape[:2])
        return cv2.subtract(cv2.add(frame, self._add), self._take)

    def _lay_out(self, height: int, width: int) -> None:
        tiles = (-(-height // TILE), -(-width // TILE))
        signs = np.tile(self._signs, tiles)[:height, :width] > 0
        self._add, self._take = (np.zeros((height, width, 3), np.uint8) for _ in range(2))
        self._add[..., 2], self._take[..., 2] = BLUE_STEP * signs, BLUE_STEP * ~signs
        self._add[..., 1], self._take[..., 1] = GREEN_STEP * ~signs, GREEN_STEP * signs
        self._size = (height, width)
