"""Video with its sound: the form in which the truth and every system under test are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.judging.aperture import measure_aperture
from avatar_nodes.world.clips import SIZE, Clip
from avatar_nodes.world.renderer import SWAY_MARGIN_PX, Box

MOUTH_SHAPE = (40, 56)
"""Rows and columns of a mouth crop: 80 x 112 pixels of the picture at half size."""
BODY_SIDE = 64
"""Side of the whole picture as the recogniser of actions sees it."""
FACE_SIDE = 64
PORTRAIT_SIDE = 96
"""Side of the whole picture as the judge of identity sees it."""
_FACE_PX = 140


class JudgeError(RuntimeError):
    """A judge that is not there or cannot be used; one line."""


@dataclass(frozen=True)
class Footage:
    """uint8 RGB frames [F, H, W, 3]; for each frame the box to look for the mouth in; the sound of
    the frames, float32 [n] in -1..1; how long a frame and its sound last.
    """

    frames: np.ndarray
    boxes: tuple[Box, ...]
    sound: np.ndarray
    timing: BlockTiming = field(default_factory=BlockTiming)

    @classmethod
    def of(cls, clip: Clip, frames: np.ndarray) -> Footage:
        """`frames` [F, ...] of a system that was given the clip's person and the clip's sound.

        Raises ValueError when there is less sound than picture.
        """
        timing = clip.spec.timing
        size = timing.samples_per_frame
        sound = clip.sound[: len(frames) * size].astype(np.float32)
        if len(sound) != len(frames) * size:
            raise ValueError(f"{len(frames)} frames, but sound for {len(sound) / size:.1f}")
        return cls(frames, (clip.search_box,) * len(frames), sound, timing)

    @classmethod
    def truth(cls, clip: Clip) -> Footage:
        """The footage of the world itself: the right answer."""
        return cls.of(clip, clip.frames)

    def __len__(self) -> int:
        return len(self.frames)

    def part(self, first: int, last: int) -> Footage:
        """Frames first..last-1 with their sound."""
        size = self.timing.samples_per_frame
        sound = self.sound[first * size : last * size]
        return replace(
            self, frames=self.frames[first:last], boxes=self.boxes[first:last], sound=sound
        )

    def require(self, timing: BlockTiming) -> None:
        """Raises JudgeError unless frames and sound have the rates that a judge was trained on."""
        wanted, found = (
            f"{t.frame_rate} frames and {t.sample_rate} samples a second"
            for t in (timing, self.timing)
        )
        if found != wanted:
            raise JudgeError(f"the judge was trained on {wanted}, the footage has {found}")

    def still(self, picture: np.ndarray) -> Footage:
        """One frame: `picture` uint8 [H, W, 3] in the place of the first."""
        return replace(self.part(0, 1), frames=picture[None])

    def strided(self, stride: int) -> Footage:
        """Every `stride`-th frame, with all of the sound."""
        return replace(self, frames=self.frames[::stride], boxes=self.boxes[::stride])

    def small(self) -> Footage:
        """The same with pictures of `SIZE` pixels a side, which judges and measures know."""
        scale = SIZE / self.frames.shape[2]
        if scale == 1.0:
            return self
        boxes = tuple(
            (round(a * scale), round(b * scale), round(c * scale), round(d * scale))
            for a, b, c, d in self.boxes
        )
        return replace(self, frames=resized(self.frames, SIZE), boxes=boxes)

    def apertures(self) -> np.ndarray:
        """float32 [F]: how far the mouth is open, measured from the pixels."""
        small = self.small()
        pairs = zip(small.frames, small.boxes, strict=True)
        return np.array([measure_aperture(frame, box) for frame, box in pairs], np.float32)

    def mouths(self) -> np.ndarray:
        """uint8 [F, 40, 56, 3]: what the sync judge sees."""
        small = self.small()
        return np.stack([mouth_crop(f, b) for f, b in zip(small.frames, small.boxes, strict=True)])

    def faces(self) -> np.ndarray:
        """uint8 [F, 64, 64, 3]."""
        small = self.small()
        return np.stack([face_crop(f, b) for f, b in zip(small.frames, small.boxes, strict=True)])

    def bodies(self) -> np.ndarray:
        """uint8 [F, 64, 64, 3]."""
        return resized(self.frames, BODY_SIDE)


def mouth_centre(box: Box) -> tuple[int, int]:
    """Pixel (x, y) of the resting mouth in the middle of its search box."""
    x0, y0, x1, y1 = box
    return (x0 + x1) // 2, (y0 + y1 - 8) // 2


def mouth_crop(frame: np.ndarray, box: Box) -> np.ndarray:
    """uint8 [40, 56, 3]: the lower face around the resting mouth, at half size."""
    x, y = mouth_centre(box)
    rows, columns = MOUTH_SHAPE
    return _crop(frame, x - columns, y - rows, 2 * columns, 2 * rows, (columns, rows))


def face_crop(frame: np.ndarray, box: Box) -> np.ndarray:
    """uint8 [64, 64, 3]: head and shoulders' top, at less than half size."""
    x, y = mouth_centre(box)
    left, top = x - _FACE_PX // 2, y - _FACE_PX * 2 // 3 - SWAY_MARGIN_PX
    return _crop(frame, left, top, _FACE_PX, _FACE_PX, (FACE_SIDE, FACE_SIDE))


def resized(frames: Iterable[np.ndarray], side: int) -> np.ndarray:
    """uint8 [F, side, side, 3]."""
    shrink: Callable[[np.ndarray], np.ndarray] = lambda frame: cv2.resize(  # noqa: E731
        frame, (side, side), interpolation=cv2.INTER_AREA
    )
    return np.stack([shrink(frame) for frame in frames])


def _crop(
    frame: np.ndarray, left: int, top: int, width: int, height: int, size: tuple[int, int]
) -> np.ndarray:
    """A rectangle of the frame, its edge repeated outside, scaled to `size` (columns, rows)."""
    rows = np.clip(np.arange(top, top + height), 0, frame.shape[0] - 1)
    columns = np.clip(np.arange(left, left + width), 0, frame.shape[1] - 1)
    patch = np.ascontiguousarray(frame[rows[:, None], columns[None]])
    return cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
