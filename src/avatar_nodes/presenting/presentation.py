"""Joins the pictures of each block with its sound and plays them out slot by slot, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from avatar_nodes.errors.refused_error import LeftoverError, RefusedError

Tag = TypeVar("Tag")

FADE_SAMPLES = 160
"""Slope at the end of a sound that is muted: 10 ms at 16 kHz."""


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


@dataclass
class _Pictures:
    """The frames of a block as they come, and how many there will be."""

    total: int
    frames: list[np.ndarray] = field(default_factory=list)
    remade: bool = False
    """True: another epoch makes the block anew; of that only the frames that are missing count."""

    @property
    def complete(self) -> bool:
        return len(self.frames) >= self.total

    def add(self, block: int, first: int, frames: np.ndarray, total: int) -> None:
        """Frames `first`, `first` + 1, ... of a block of `total`.

        Raises:
            RefusedError: `size`, `repeated`, `order` (frames before them are missing).
        """
        name = f"block {block}: frames {first}..{first + len(frames) - 1} of {total}"
        if total != self.total or not len(frames) or first + len(frames) > total:
            raise RefusedError("size", f"{name}, expected {self.total}")
        there = len(self.frames)
        if first > there:
            raise RefusedError("order", f"{name} after {there} frames")
        if first < there and not self.remade:
            raise LeftoverError("repeated", f"{name} came twice")
        self.frames.extend(frames[there - first :])


@dataclass
class _Block(Generic[Tag]):
    """A block whose first frames and whose sound are there."""

    number: int
    pictures: _Pictures
    sound: _Sound[Tag]

    def slots(self, samples_per_frame: int) -> int:
        """Frames that are shown: all, or as many as the stream's last sound reaches."""
        if not self.sound.last:
            return self.pictures.total
        reached = -(-len(self.sound.samples) // samples_per_frame)
        return max(1, min(self.pictures.total, reached))


class Presentation(Generic[Tag]):
    """Bounded queue of blocks between those who make them and the media clock.

    The pictures of a block may come in parts. A block can be played when its sound and its first
    pictures are there and all before it can; it is *taken* when all its pictures are there and
    every block before it was taken. A frame without new pictures is held: shown again, in silence,
    so one stays with the other.

    Args:
        samples_per_frame: 640 at 16 kHz and 25 frames/s.
        capacity: blocks that may wait for their other half or for their turn.
    """

    def __init__(self, *, samples_per_frame: int, capacity: int = 64) -> None:
        self._samples_per_frame = samples_per_frame
        self._capacity = capacity
        self._pictures: dict[int, _Pictures] = {}
        self._sounds: dict[int, _Sound[Tag]] = {}
        self._queue: deque[_Block[Tag]] = deque()
        """All complete but for the last one."""
        self._position = 0
        self._shown: np.ndarray | None = None
        self._next_block = 0
        self._begun_block = -1
        self._muted_before = 0
        self._sounding = False
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
    def playable_block(self) -> int:
        """The last block that can be played, if only its first frames: at least `taken_block`."""
        return self.taken_block + bool(self._queue and not self._queue[-1].pictures.complete)

    @property
    def waiting_blocks(self) -> int:
        """Blocks taken of which no frame has been shown."""
        complete = sum(block.pictures.complete for block in self._queue)
        return max(0, complete - bool(self._position))

    @property
    def waiting_frames(self) -> int:
        """Frames of playable blocks that were not yet shown, whether there or still to come."""
        return sum(b.slots(self._samples_per_frame) for b in self._queue) - self._position

    def start_epoch(self, epoch: int, first_block: int) -> bool:
        """Blocks of `epoch` come, from `first_block` on. False: it is not newer than the present
        one.

        What is taken and comes before `first_block` stays; what comes after will be made again,
        unless it is already being shown. Of a block that is shown in part only what is missing will
        be taken; if it will not be made again, it ends with what is there.
        """
        if epoch <= self.epoch:
            return False
        self.epoch = epoch
        self._pictures.clear()
        self._sounds.clear()
        while self._queue and self._queue[-1].number >= first_block and not self._showing_last():
            self._queue.pop()
        self._next_block = max(first_block, self._begun_block + 1)
        if self._queue and not self._queue[-1].pictures.complete:
            half = self._queue[-1]
            if half.number >= first_block:
                half.pictures.remade, self._next_block = True, half.number
            else:
                half.pictures.total = len(half.pictures.frames)
                self._drop_what_is_over()
        return True

    def add_frames(
        self,
        epoch: int,
        block: int,
        frames: np.ndarray,
        *,
        first: int = 0,
        total: int | None = None,
    ) -> list[Tag]:
        """Take pictures of a block, uint8 [n, H, W, 3]: from frame `first` on, of `total` (default:
        these are the last). Returns the tags of blocks now taken.

        Raises:
            RefusedError: `stale` (older epoch), `early` (epoch not begun), `repeated`,
                `overrun`, `shape`, `size`, `order`.
        """
        if self._admit(epoch, block):
            if self._shown is not None and frames.shape[1:] != self._shown.shape:
                raise RefusedError("shape", f"frames {frames.shape[1:]} after {self._shown.shape}")
            total = first + len(frames) if total is None else total
            pictures = self._half_shown(block)
            if pictures is None:
                pictures = self._pictures.get(block, _Pictures(total))
                pictures.add(block, first, frames, total)
                self._pictures[block] = pictures
            else:
                pictures.add(block, first, frames, total)
        return self._take()

    def add_sound(
        self, epoch: int, block: int, samples: np.ndarray, *, last: bool, tag: Tag
    ) -> list[Tag]:
        """Take the sound of a block, int16 [n]; n may be shorter than its pictures when it is the
        last.

        Raises:
            RefusedError: as `add_frames`.
        """
        if self._admit(epoch, block) and self._half_shown(block) is None:
            if block in self._sounds:
                raise LeftoverError("repeated", f"sound of block {block} came twice")
            self._sounds[block] = _Sound(samples, last, tag)
        return self._take()

    def next_slot(self) -> Slot | None:
        """The next new frame with its sound; None: none is there (see `hold`)."""
        if not self._queue or self._position >= len(self._queue[0].pictures.frames):
            return None
        block, index = self._queue[0], self._position
        slots = block.slots(self._samples_per_frame)
        if index >= slots:
            return None
        begin = index * self._samples_per_frame
        samples = block.sound.samples[begin : begin + self._samples_per_frame]
        missing = self._samples_per_frame - len(samples)
        if missing:
            samples = np.concatenate([samples, np.zeros(missing, np.int16)])
        if block.number < self._muted_before:
            samples = self._fade_out(samples)
        else:
            self._sounding = bool(samples.any())
        frame = block.pictures.frames[index]
        self._shown, self._begun_block = frame, block.number
        self._position += 1
        self._drop_what_is_over()
        self.presented += 1
        last = self._position in (0, slots) and block.sound.last
        return Slot(frame, samples, False, block.number, index == 0, last)

    def mute(self, before: int) -> None:
        """From the next slot on all blocks before `before` are silent, those to come among them.

        Raises:
            RefusedError: `overrun`, `before` is further ahead than blocks may be.
        """
        if before > self._next_block + self._capacity:
            raise RefusedError("overrun", f"block {before} is far beyond {self._next_block}")
        if before > max(self._muted_before, self._begun_block):
            self._muted_before = before

    def hold(self) -> Slot | None:
        """The last frame again, in silence; None before the first frame."""
        if self._shown is None:
            return None
        self.held += 1
        self._sounding = False
        silence = np.zeros(self._samples_per_frame, np.int16)
        return Slot(self._shown, silence, True, self._begun_block, False, False)

    def _fade_out(self, samples: np.ndarray) -> np.ndarray:
        """Silence; after sound with a short slope before it, since a sound cut off clicks."""
        silent = np.zeros_like(samples)
        if self._sounding:
            self._sounding = False
            count = min(len(samples), FADE_SAMPLES)
            silent[:count] = samples[:count] * np.linspace(1.0, 0.0, count)
        return silent

    def _admit(self, epoch: int, block: int) -> bool:
        """Whether something of a block is wanted; false: it was shown already under an older
        epoch."""
        if epoch < self.epoch:
            raise LeftoverError("stale", f"block {block} of epoch {epoch}, now {self.epoch}")
        if epoch > self.epoch:
            raise LeftoverError("early", f"block {block} of epoch {epoch}, which has not begun")
        if self._half_shown(block) is not None:
            return True
        if block <= self._begun_block:
            return False
        if block < self._next_block:
            raise LeftoverError("repeated", f"block {block} came twice")
        if block >= self._next_block + self._capacity:
            raise RefusedError("overrun", f"block {block} is far beyond {self._next_block}")
        return True

    def _half_shown(self, block: int) -> _Pictures | None:
        """The pictures of `block` if it is playable and not all of them are there."""
        if self._queue and self._queue[-1].number == block:
            pictures = self._queue[-1].pictures
            return None if pictures.complete else pictures
        return None

    def _take(self) -> list[Tag]:
        tags = []
        while True:
            block = self._next_block
            if block in self._pictures and block in self._sounds:
                pictures, sound = self._pictures.pop(block), self._sounds.pop(block)
                self._queue.append(_Block(block, pictures, sound))
            if not self._queue or self._queue[-1].number != block:
                break
            if not self._queue[-1].pictures.complete:
                break
            tags.append(self._queue[-1].sound.tag)
            self._next_block += 1
            self._drop_what_is_over()
        return tags

    def _drop_what_is_over(self) -> None:
        """The block being shown leaves when all of it was shown, and was there."""
        head = self._queue[0]
        if head.pictures.complete and self._position >= head.slots(self._samples_per_frame):
            self._queue.popleft()
            self._position = 0

    def _showing_last(self) -> bool:
        """True when the newest block of the queue is the one being shown."""
        return len(self._queue) == 1 and self._position > 0
