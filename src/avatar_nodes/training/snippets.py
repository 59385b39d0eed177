"""Short snippets of the tiny world on disk: twelve frames and where the mouth is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from avatar_nodes.training.clips import Clip, ClipSpec

SNIPPET_FRAMES = 12
PER_CLIP = 6
"""Snippets cut from each person's clip, with gaps between."""


def create_snippets(folder: Path, *, count: int) -> None:
    """Lay out the empty files that `write_snippets` fills: uint8 frames and int16 mouth boxes."""
    folder.mkdir(parents=True, exist_ok=True)
    layout = {"frames": (np.uint8, (256, 256, 3)), "boxes": (np.int16, (4,))}
    for name, (kind, shape) in layout.items():
        whole = (count // PER_CLIP * PER_CLIP, SNIPPET_FRAMES, *shape)
        np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=kind, shape=whole)


def write_snippets(folder: Path, *, seed: int, part: int = 0, parts: int = 1) -> None:
    """Render people of the training split into the files that `create_snippets` made.

    `part` of `parts` lets several processes share the work.
    """
    cv2.setNumThreads(1)
    frames = np.load(folder / "frames.npy", mmap_mode="r+")
    boxes = np.load(folder / "boxes.npy", mmap_mode="r+")
    for index in range(part, len(frames) // PER_CLIP, parts):
        clip = Clip(ClipSpec.sample(seed * 1_000_003 + index, split="train", blocks=PER_CLIP * 2))
        for k in range(PER_CLIP):
            for i in range(SNIPPET_FRAMES):
                n = k * 2 * SNIPPET_FRAMES + i
                frames[index * PER_CLIP + k, i] = clip.frame(n)
                boxes[index * PER_CLIP + k, i] = clip.mouth_box(n)
        if index // parts % 20 == 0:
            print(f"snippets {index * PER_CLIP}/{len(frames)}", flush=True)


class Snippets:
    """Random crops of a folder's snippets, held in memory: random reads stall on disk."""

    def __init__(self, folder: Path) -> None:
        self._frames = np.load(folder / "frames.npy")
        self._boxes = np.load(folder / "boxes.npy")

    def __len__(self) -> int:
        return len(self._frames)

    def spread(self, count: int) -> list[int]:
        """`count` indices spread evenly over the data."""
        return [int(i) for i in np.linspace(0, len(self) - 1, count)]

    def whole(self, index: int) -> tuple[Tensor, Tensor]:
        """One whole snippet: frames [1, 12, 3, 256, 256] in -1..1 and its mouth boxes [12, 4]."""
        frames = torch.from_numpy(np.array(self._frames[index])).permute(0, 3, 1, 2)
        return frames.float().div(127.5).sub(1.0).unsqueeze(0), torch.from_numpy(
            np.array(self._boxes[index])
        )

    def crops(
        self, rng: np.random.Generator, batch: int, side: int, mouth_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Frames [B, 12, 3, side, side] in -1..1 and loss weights [B, 12, 1, side, side].

        Half of the crops hold the mouth.
        """
        frames, weights = [], []
        for _ in range(batch):
            row = int(rng.integers(len(self)))
            size = self._frames.shape[2]
            x, y = (int(v) for v in rng.integers(0, size - side + 1, size=2))
            box = self._boxes[row]
            if rng.random() < 0.5:
                x0, y0, x1, y1 = (int(v) for v in box[0])
                low_x, high_x = max(0, x1 + 8 - side), min(size - side, x0 - 8)
                low_y, high_y = max(0, y1 + 8 - side), min(size - side, y0 - 8)
                x = int(rng.integers(low_x, max(low_x, high_x) + 1))
                y = int(rng.integers(low_y, max(low_y, high_y) + 1))
            crop = np.array(self._frames[row, :, y : y + side, x : x + side])
            weight = np.ones((len(crop), 1, side, side), np.float32)
            for i, (x0, y0, x1, y1) in enumerate(box):
                rows = slice(max(0, y0 - 4 - y), max(0, y1 + 4 - y))
                columns = slice(max(0, x0 - 4 - x), max(0, x1 + 4 - x))
                weight[i, 0, rows, columns] = mouth_weight
            if rng.random() < 0.5:
                crop, weight = crop[:, :, ::-1], weight[..., ::-1]
            frames.append(np.ascontiguousarray(crop))
            weights.append(np.ascontiguousarray(weight))
        pixels = torch.from_numpy(np.stack(frames)).permute(0, 1, 4, 2, 3)
        return pixels.float().div(127.5).sub(1.0), torch.from_numpy(np.stack(weights))
