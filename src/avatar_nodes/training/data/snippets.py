"""Draws short snippets for the autoencoder from the shards: twelve frames, the mouth's box, and the
reference picture."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.training.data.shards.clips import ShardClip, ShardClips

_CLIPS_AT_ONCE = 16
_ANOTHER_MOMENT = 0.25
"""Share of the crops whose reference is not the clip's, but a frame of another of its snippets:
people come with their mouths open, and from other sides."""
_MOVED = 24
"""Levels by which a pixel differs from the reference where something has moved."""


@dataclass(frozen=True)
class Crops:
    """frames [B, 12, 3, side, side] in -1..1, their loss weights [B, 12, 1, side, side], and what
    the reference picture has there, [B, 3, side, side]."""

    frames: Tensor
    weights: Tensor
    references: Tensor


class Snippets:
    """Random crops of snippets that are held in memory: random reads stall on disk."""

    def __init__(
        self, frames: np.ndarray, boxes: np.ndarray, sources: Sequence[tuple[str, int]],
        references: Sequence[np.ndarray], clips: Sequence[int],
    ) -> None:  # fmt: skip
        """frames: uint8 RGB [N,12,H,W,3]; boxes: int16 [N,12,4], the mouth; 0 where unknown;
        sources: the clip and the block that each is of; references: uint8 RGB [H,W,3] of every
        clip; clips: which of them each is of.
        """
        self._frames = frames
        self._boxes = boxes
        self.sources = list(sources)
        self._references = list(references)
        self._clips = list(clips)
        self._of_clip: dict[int, list[int]] = {}
        for row, clip in enumerate(self._clips):
            self._of_clip.setdefault(clip, []).append(row)

    @classmethod
    def read(
        cls, shards: Path, *, count: int, threads: int = 1, keys: Collection[str] | None = None
    ) -> Snippets:
        """About `count` blocks of the training split, as many from every clip, or every one of
        `keys`.

        Raises FileNotFoundError without training shards, ShardError at a damaged one.
        """
        clips = ShardClips(shards, "train")
        per_clip = -(-count // max(1, len(clips) if keys is None else len(keys)))
        frames, boxes, sources, found = None, [], [], 0
        references: list[np.ndarray] = []
        of_clip: list[int] = []
        source = (clip for clip in clips if keys is None or clip.key in keys)
        with ThreadPoolExecutor(threads) as pool:
            while found < count and (some := list(islice(source, _CLIPS_AT_ONCE))):
                read = pool.map(lambda c: _blocks(c, per_clip), some)
                for clip, (pictures, mouths, blocks) in zip(some, read, strict=True):
                    if frames is None:
                        frames = np.empty((count, *pictures.shape[1:]), np.uint8)
                    taken = min(len(pictures), count - found)
                    frames[found : found + taken] = pictures[:taken]
                    boxes.append(mouths[:taken])
                    sources += blocks[:taken]
                    of_clip += [len(references)] * taken
                    references.append(clip.reference)
                    found += taken
                print(f"snippets {found}/{count}", flush=True)
        if frames is None:
            which = "are empty" if keys is None else "have none of these clips"
            raise FileNotFoundError(f"{shards}: the train shards {which}")
        return cls(frames[:found], np.concatenate(boxes), sources, references, of_clip)

    def __len__(self) -> int:
        return len(self._frames)

    def spread(self, count: int) -> list[int]:
        """`count` indices spread evenly over the data."""
        return [int(i) for i in np.linspace(0, len(self) - 1, count)]

    def whole(self, index: int) -> tuple[Tensor, Tensor]:
        """One whole snippet: frames [1, 12, 3, H, W] in -1..1 and its mouth boxes [12, 4]."""
        boxes = torch.from_numpy(np.array(self._boxes[index]))
        return _in_range(self._frames[index])[None], boxes

    def reference(self, index: int) -> Tensor:
        """The reference picture of a snippet's clip, [1, 3, H, W] in -1..1."""
        return _in_range(self._references[self._clips[index]][None])

    def crops(
        self, rng: np.random.Generator, batch: int, side: int, mouth_weight: float,
        motion_weight: float = 1.0,
    ) -> Crops:  # fmt: skip
        """Random crops. Half of them hold the mouth, where it is known.

        mouth_weight, motion_weight: weights of the mouth's pixels, and of those that differ from
        the reference; a pixel that is both has the larger one.
        """
        frames, weights, references = [], [], []
        for _ in range(batch):
            row = int(rng.integers(len(self)))
            x, y = self._corner(rng, self._boxes[row][0], side)
            crop = np.array(self._frames[row, :, y : y + side, x : x + side])
            reference = self._reference_of(rng, row)[y : y + side, x : x + side]
            weight = np.ones((len(crop), 1, side, side), np.float32)
            for i, (x0, y0, x1, y1) in enumerate(self._boxes[row]):
                if x1 <= x0:
                    continue
                rows = slice(max(0, y0 - 4 - y), max(0, y1 + 4 - y))
                columns = slice(max(0, x0 - 4 - x), max(0, x1 + 4 - x))
                weight[i, 0, rows, columns] = mouth_weight
            moved = np.abs(crop.astype(np.int16) - reference).max(axis=-1) > _MOVED
            np.maximum(weight, np.where(moved, motion_weight, 1.0)[:, None], out=weight)
            if rng.random() < 0.5:
                crop, weight, reference = crop[:, :, ::-1], weight[..., ::-1], reference[:, ::-1]
            frames.append(_in_range(crop))
            weights.append(torch.from_numpy(np.ascontiguousarray(weight)))
            references.append(_in_range(reference[None])[0])
        return Crops(torch.stack(frames), torch.stack(weights), torch.stack(references))

    def _reference_of(self, rng: np.random.Generator, row: int) -> np.ndarray:
        clip = self._clips[row]
        others = [other for other in self._of_clip[clip] if other != row]
        if not others or rng.random() >= _ANOTHER_MOMENT:
            return self._references[clip]
        other = others[int(rng.integers(len(others)))]
        moment: np.ndarray = self._frames[other, int(rng.integers(self._frames.shape[1]))]
        return moment

    def _corner(self, rng: np.random.Generator, box: np.ndarray, side: int) -> tuple[int, int]:
        """Origin of a crop: half of the time anywhere, otherwise such that it holds the mouth's
        box."""
        height, width = self._frames.shape[2:4]
        x, y = int(rng.integers(0, width - side + 1)), int(rng.integers(0, height - side + 1))
        x0, y0, x1, y1 = (int(v) for v in box)
        if rng.random() < 0.5 and x1 > x0:
            low_x, high_x = max(0, x1 + 8 - side), min(width - side, x0 - 8)
            low_y, high_y = max(0, y1 + 8 - side), min(height - side, y0 - 8)
            x = int(rng.integers(low_x, max(low_x, high_x) + 1))
            y = int(rng.integers(low_y, max(low_y, high_y) + 1))
        return min(x, width - side), min(y, height - side)


def _blocks(clip: ShardClip, count: int) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int]]]:
    """Random blocks of a clip: [n,12,H,W,3], the mouth's boxes, the sources.

    Evenly spaced blocks would be the same for every clip, like the first and the last, in which
    nobody acts.
    """
    rng = np.random.default_rng(zlib.crc32(clip.key.encode()))
    chosen = sorted(rng.permutation(clip.blocks)[:count].tolist())
    frames, mouth = clip.frames(chosen), clip.mouth.reshape(clip.blocks, -1, 4)
    pictures = frames.reshape(len(chosen), -1, *frames.shape[1:])
    return pictures, mouth[chosen], [(clip.key, block) for block in chosen]


def _in_range(pictures: np.ndarray) -> Tensor:
    """uint8 RGB [n, H, W, 3] -> [n, 3, H, W] in -1..1."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    return pixels.float().div(127.5).sub(1.0)
