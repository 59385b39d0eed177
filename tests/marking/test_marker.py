"""The label is readable where it was asked for, and the marker does as it is told."""

from __future__ import annotations

import numpy as np
import pytest
from support.marked_pictures import scene

from avatar_nodes.marking.label import Label, LabelError
from avatar_nodes.marking.marker import Marker, MarkingChoice
from avatar_nodes.marking.reader import WatermarkReader


@pytest.mark.parametrize("size", [(256, 256), (384, 704), (64, 128)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_letters_stand_out_on_every_background(size: tuple[int, int], level: int) -> None:
    frame = np.full((*size, 3), level, np.uint8)
    Label().draw(frame)
    changed = np.argwhere((frame != level).any(axis=2))
    top, left = changed.min(axis=0)
    bottom, right = changed.max(axis=0)
    box = frame[top : bottom + 1, left : right + 1, 0].astype(int)
    assert box.max() - box.min() > 90
    assert box.max() > 200
    assert 0.005 < box.size / frame[..., 0].size < 0.25


@pytest.mark.parametrize("corner", ["top_left", "top_right", "bottom_left", "bottom_right"])
def test_the_corner(corner: str) -> None:
    frame = np.full((256, 256, 3), 255, np.uint8)
    Label(corner=corner).draw(frame)  # type: ignore[arg-type]
    row, column = np.argwhere(frame[..., 0] < 255).mean(axis=0)
    assert ("top" in corner) == (row < 128)
    assert ("left" in corner) == (column < 128)


def test_labels_that_cannot_be_drawn() -> None:
    for text in ("", "  ", "two\nlines"):
        with pytest.raises(LabelError, match="one line of text"):
            Label(text)
    with pytest.raises(LabelError, match="does not fit into 32x32"):
        Label().draw(np.zeros((32, 32, 3), np.uint8))


def test_the_marker_leaves_the_frame_as_it_was() -> None:
    frame = scene(1)[0]
    before = frame.copy()
    frame.flags.writeable = False  # as frames of messages are
    both = Marker().mark(frame)
    label = Marker(MarkingChoice(watermark=False)).mark(frame)
    nothing = Marker(MarkingChoice(label=False, watermark=False)).mark(frame)
    assert np.array_equal(frame, before)
    assert np.array_equal(nothing, before)
    assert (label != before).any(axis=2).mean() < 0.1
    assert (both != before).any(axis=2).mean() > 0.9
    reader = WatermarkReader()
    reader.add(both)
    assert reader.read().verdict == "marked"
