"""Joins the pictures of each block with its sound and plays them out slot by slot, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

Tag = TypeVar("Tag")

FADE_SAMPLES = 160
"""Slope at the end of a sound that is muted: 10 ms at 16 kHz."""


class PresentationError(ValueError):
    """Pictures or sound that cannot be played; `reason` is one word for counting."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class Slot:
    """What is seen and heard for the time of one frame."""

    frame: np.ndarray
    """uint8 [H, W, 3] RGB."""
    sound: np.ndarray
    """int16 [samples per frame]."""
    held: bool
    """True: nothing new was there; the last frame again, in silence."""
    block: int
    first: bool
    """True: the first slot of its block."""
    last: bool
    """True: the stream ends with this slot."""


@dataclass(frozen=True)
class _Sound(Generic[Tag]):
    samples: np.ndarray
    last: bool
    tag: Tag


class Presentation(Generic[Tag]):
    """Bounded queue of blocks between those who make them and the media clock.

    A block is *taken* when its pictures and its sound are both there and every block before it was
    taken. A frame without new pictures is held: shown again, in silence, so one stays with the
    other.

    Args:
        samples_per_frame: 640 at 16 kHz and 25 frames/s.
        capacity: blocks that may wait for their other half or for their turn.
    """

    def __init__(self, *, samples_per_frame: int, capacity: int = 64) -> None:
        self._samples_per_frame = samples_per_frame
        self._capacity = capacity
        self._frames: dict[int, np.ndarray] = {}
        self._sounds: dict[int, _Sound[Tag]] = {}
        self._queue: deque[tuple[int, np.ndarray, _Sound[Tag]]] = deque()
        self._position = 0
        self._shown: np.ndarray | None = None
        self._next_block = 0
        self._begun_block = -1
        self._muted_before = 0
        self._faded = False
        self.epoch = 0
        self.held = 0
        """Slots in which a frame was held."""
        self.presented = 0
        """Slots with a new frame."""

    @property
    def taken_block(self) -> int:
        """The last block taken, every one of the stream before it included; first_block - 1:
        none."""
        return self._next_block - 1

    @property
    def waiting_blocks(self) -> int:
        """Blocks taken of which no frame has been shown."""
        return len(self._queue) - bool(self._position)

    @property
    def waiting_frames(self) -> int:
        """Frames taken and not yet shown."""
        return sum(self._slots(entry) for entry in self._queue) - self._position

    def start_epoch(self, epoch: int, first_block: int) -> bool:
        """Blocks of `epoch` come, from `first_block` on. False: it is not newer than the present
        one.

        What is taken and comes before `first_block` stays; what comes after will be made again,
        unless it is already being shown.
        """
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        self._frames.clear()
        self._sounds.clear()
        while self._queue and self._queue[-1][0] >= first_block and not self._showing_last():
            self._queue.pop()
        self._next_block = max(first_block, self._begun_block + 1)
        return True

    def add_frames(self, epoch: int, block: int, frames: np.ndarray) -> list[Tag]:
        """Take the pictures of a block, uint8 [n, H, W, 3]; returns the tags of blocks now taken.

        Raises:
            PresentationError: `stale` (older epoch), `early` (epoch not begun), `repeated`,
                `overrun`, `shape`.
        """
        if self._admit(epoch, block, self._frames):
            if self._shown is not None and frames.shape[1:] != self._shown.shape:
                raise PresentationError(
                    "shape", f"frames {frames.shape[1:]} after {self._shown.shape}"
                )
            self._frames[block] = frames
        return self._take()

    def add_sound(
        self, epoch: int, block: int, samples: np.ndarray, *, last: bool, tag: Tag
    ) -> list[Tag]:
        """Take the sound of a block, int16 [n]; n may be shorter than its pictures when it is the
        last.

        Raises:
            PresentationError: as `add_frames`.
        """
        if self._admit(epoch, block, self._sounds):
            self._sounds[block] = _Sound(samples, last, tag)
        return self._take()

    def next_slot(self) -> Slot | None:
        """The next new frame with its sound; None: none is there (see `hold`)."""
        if not self._queue:
            return None
        entry = self._queue[0]
        block, frames, sound = entry
        index = self._position
        begin = index * self._samples_per_frame
        samples = sound.samples[begin : begin + self._samples_per_frame]
        missing = self._samples_per_frame - len(samples)
        if missing:
            samples = np.concatenate([samples, np.zeros(missing, np.int16)])
        if block < self._muted_before:
            samples = self._fade_out(samples)
        self._shown, self._begun_block = frames[index], block
        self._position += 1
        over = self._position == self._slots(entry)
        if over:
            self._queue.popleft()
            self._position = 0
        self.presented += 1
        last = over and sound.last
        return Slot(frames[index], samples, False, block, index == 0, last)

    def mute(self, before: int) -> None:
        """From the next slot on all blocks before `before` are silent, those to come among them.

        Raises:
            PresentationError: `overrun`, `before` is further ahead than blocks may be.
        """
        if before > self._next_block + self._capacity:
            raise PresentationError("overrun", f"block {before} is far beyond {self._next_block}")
        if before > max(self._muted_before, self._begun_block):
            self._muted_before, self._faded = before, False

    def hold(self) -> Slot | None:
        """The last frame again, in silence; None before the first frame."""
        if self._shown is None:
            return None
        self.held += 1
        silence = np.zeros(self._samples_per_frame, np.int16)
        return Slot(self._shown, silence, True, self._begun_block, False, False)

    def _fade_out(self, samples: np.ndarray) -> np.ndarray:
        """Silence; the first time with a short slope before it, since a sound cut off clicks."""
        silent = np.zeros_like(samples)
        if not self._faded:
            self._faded = True
            count = min(len(samples), FADE_SAMPLES)
            silent[:count] = samples[:count] * np.linspace(1.0, 0.0, count)
        return silent

    def _admit(self, epoch: int, block: int, half: dict[int, Any]) -> bool:
        """Whether this half of a block is wanted; false: it was shown already under an older
        epoch."""
        if epoch < self.epoch:
            raise PresentationError("stale", f"block {block} of epoch {epoch}, now {self.epoch}")
        if epoch > self.epoch:
            raise PresentationError("early", f"block {block} of epoch {epoch}, which has not begun")
        if block <= self._begun_block:
            return False
        if block < self._next_block or block in half:
            raise PresentationError("repeated", f"block {block} came twice")
        if block >= self._next_block + self._capacity:
            raise PresentationError("overrun", f"block {block} is far beyond {self._next_block}")
        return True

    def _take(self) -> list[Tag]:
        tags = []
        while self._next_block in self._frames and self._next_block in self._sounds:
            block = self._next_block
            sound = self._sounds.pop(block)
            self._queue.append((block, self._frames.pop(block), sound))
            self._next_block += 1
            tags.append(sound.tag)
        return tags

    def _slots(self, entry: tuple[int, np.ndarray, _Sound[Tag]]) -> int:
        """Frames of a block that are shown: all, or as many as the stream's last sound reaches."""
        _, frames, sound = entry
        if not sound.last:
            return len(frames)
        return max(1, min(len(frames), -(-len(sound.samples) // self._samples_per_frame)))

    def _showing_last(self) -> bool:
        """True when the newest block of the queue is the one being shown."""
        return len(self._queue) == 1 and self._position > 0
