"""Puts the chosen marks on pictures on their way out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.marking.label import Corner, Label
from avatar_nodes.marking.settings import OutputSettings
from avatar_nodes.marking.watermark import Watermark


@dataclass(frozen=True)
class MarkingChoice:
    """The chosen marks and their content."""

    label: bool = True
    watermark: bool = True
    text: str = "AI generated"
    corner: Corner = "bottom_right"
    number: int = 0
    """0 to 65535, carried by the watermark: which avatar, booth or session it was."""


def marker_of(settings: OutputSettings) -> Marker:
    """The marker of a node, tried on a picture of the node's size.

    Raises:
        LabelError: the label cannot be drawn, or not into pictures of this size.
    """
    marker = Marker(
        MarkingChoice(
            label=settings.label,
            watermark=settings.watermark,
            text=settings.mark_text,
            corner=settings.mark_corner,
            number=settings.mark_number,
        )
    )
    marker.mark(np.zeros((settings.height, settings.width, 3), np.uint8))
    return marker


class Marker:
    """Puts the label and the watermark on every picture of a stream.

    A picture marked twice is still read well, but the marks add up to a visible one: mark once.

    Raises:
        LabelError: the text cannot be drawn.
        ValueError: the number is out of range.
    """

    def __init__(self, choice: MarkingChoice | None = None) -> None:
        choice = choice or MarkingChoice()
        self.choice = choice
        self._label = Label(choice.text, choice.corner) if choice.label else None
        self._watermark = Watermark(choice.number) if choice.watermark else None

    def mark(self, frame: np.ndarray) -> np.ndarray:
        """uint8 RGB [H, W, 3] -> the same with its marks, a new array; the frame itself where
        nothing is to be done.

        Raises:
            LabelError: the picture is too small for the label.
        """
        if self._label is not None:
            frame = frame.copy()
            self._label.draw(frame)
        return frame if self._watermark is None else self._watermark.apply(frame)
