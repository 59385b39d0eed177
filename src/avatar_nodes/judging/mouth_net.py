"""The mouth judge: how far a lifelike person's lips are open, and how round, from pixels alone.

The colour of the inside tells it of drawn people (`aperture.py`); real mouths have teeth, a tongue
and shadows in them. The net sees the part of the picture in which the mouth may be, finds it by
attention, and is trained on truth of the training split, never on the output of a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from avatar_nodes.judging.footage import Footage
from avatar_nodes.world.renderer import Box

VIEW_SIDE = 256
"""Side of the picture, in pixels, of which a view is a part."""
_MARGIN = 16
"""Pixels around the box in which the mouth stays: its lips are seen whole, and some skin."""


@dataclass(frozen=True)
class MouthShapes:
    """What a mouth does in each frame, float32 [F] in 0..1; rounding is None where none is seen."""

    aperture: np.ndarray
    rounding: np.ndarray | None = None


class MouthReader(Protocol):
    """Reads the shape of a mouth from pixels."""

    def read(self, footage: Footage) -> MouthShapes:
        """The shapes in each frame of `footage`."""
        ...


class ColourReader:
    """A `MouthReader` for drawn people, by the one colour of the inside of their mouths."""

    def read(self, footage: Footage) -> MouthShapes:
        """See `MouthReader.read`; the aperture alone."""
        return MouthShapes(footage.apertures())


class MouthNet(nn.Module):
    """Views of a mouth -> aperture and rounding."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_layer(3, 24, 1), *_layer(24, 32, 2), *_layer(32, 32, 1), *_layer(32, 64, 2),
            *_layer(64, 64, 1), *_layer(64, 96, 2), *_layer(96, 96, 1), *_layer(96, 96, 1),
        )  # fmt: skip
        self.where = nn.Conv2d(96, 1, 1)
        self.shape = nn.Sequential(nn.Linear(96, 64), nn.GELU(), nn.Linear(64, 2))

    def forward(self, views: Tensor) -> Tensor:
        """[B, 3, h, w] in -1..1, of any size -> [B, 2], aperture and rounding in about 0..1."""
        features = self.trunk(views)
        weights = self.where(features).flatten(1).softmax(dim=1)
        return self.shape(torch.einsum("bcn,bn->bc", features.flatten(2), weights))


class MouthJudge:
    """A `MouthReader` by a trained `MouthNet`."""

    def __init__(self, net: MouthNet) -> None:
        self._net = net.eval()

    @torch.inference_mode()
    def read(self, footage: Footage) -> MouthShapes:
        """See `MouthReader.read`."""
        found = []
        for frame, box in zip(footage.frames, footage.boxes, strict=True):
            view = torch.from_numpy(mouth_view(frame, box)).permute(2, 0, 1).float()
            found.append(self._net(view.div(127.5).sub(1.0)[None])[0])
        shapes = torch.stack(found).clamp(0.0, 1.0).numpy()
        return MouthShapes(shapes[:, 0], shapes[:, 1])


def mouth_view(frame: np.ndarray, box: Box) -> np.ndarray:
    """uint8 [h, w, 3]: the part of a frame [H, W, 3] in which the mouth stays, and a margin, as a
    picture of 256 pixels a side shows it.
    """
    scale = VIEW_SIDE / frame.shape[1]
    x0, y0, x1, y1 = (round(edge * scale) for edge in box)
    return view_of(frame, x0 - _MARGIN, y0 - _MARGIN, x1 + _MARGIN, y1 + _MARGIN)


def view_of(frame: np.ndarray, x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    """A part of the frame in pixels of a picture of 256 a side; its edge goes on outside."""
    if frame.shape[:2] != (VIEW_SIDE, VIEW_SIDE):
        frame = cv2.resize(frame, (VIEW_SIDE, VIEW_SIDE), interpolation=cv2.INTER_AREA)
    rows = np.clip(np.arange(y0, y1), 0, VIEW_SIDE - 1)
    columns = np.clip(np.arange(x0, x1), 0, VIEW_SIDE - 1)
    return np.ascontiguousarray(frame[rows[:, None], columns[None]])


def _layer(before: int, after: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1)
    return [conv, nn.GroupNorm(8, after), nn.GELU()]
