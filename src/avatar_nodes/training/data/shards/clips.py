"""Writes and reads shards: WebDataset tar files of clips, the tiny world's and real ones alike."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import webdataset

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.shards.codec import (
    decode_arrays,
    decode_sound,
    decode_video,
    encode_arrays,
    encode_sound,
    encode_video,
)

SPLITS: tuple[str, ...] = ("train", "val", "test")


class ShardError(RuntimeError):
    """A shard is damaged, or belongs to another plan; the message names it and says what to do."""


@dataclass(frozen=True)
class ClipRecord:
    """A clip on its way into a shard.

    frames: uint8 RGB [H,W,3]; sound: float32 [samples of the blocks] in -1..1; timing: of both;
    prompts: one a block; about: plain values for JSON (split, identity, actions, object …); truth:
    arrays; every clip has `mouth` int16 [frames,4] (x0, y0, x1, y1 in pixels; all 0 where it is
    unknown) and `reference` uint8 [H,W,3]. The tiny world adds `aperture` float32 [frames],
    `search_box` int16 [4], `object_visible` float32 [frames], `object_box` int16 [frames,4].
    """

    key: str
    size: tuple[int, int]
    """Width and height in pixels."""
    frames: Iterable[np.ndarray]
    sound: np.ndarray
    prompts: tuple[str, ...]
    about: Mapping[str, Any]
    truth: Mapping[str, np.ndarray]
    timing: BlockTiming = field(default_factory=BlockTiming)

    def encode(self) -> dict[str, Any]:
        """The sample as WebDataset writes it. Raises ValueError for a sound of another length."""
        if len(self.sound) != len(self.prompts) * self.timing.samples_per_block:
            raise ValueError(
                f"{self.key}: {len(self.sound)} samples for {len(self.prompts)} blocks"
            )
        about = {**self.about, **self.timing.to_config(), "prompts": list(self.prompts)}
        return {
            "__key__": self.key,
            "mp4": encode_video(self.frames, *self.size, self.timing),
            "flac": encode_sound(self.sound, self.timing.sample_rate),
            "json": json.dumps(about, ensure_ascii=True, sort_keys=True).encode(),
            "npz": encode_arrays(dict(self.truth)),
        }


def write_shard(path: Path, clips: Iterable[ClipRecord]) -> int:
    """Write `path` (a .tar) and return its number of clips.

    It gets its name only when it is whole, so a kill at any moment leaves no half shard behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial, count = path.with_suffix(".partial"), 0
    with partial.open("wb") as file:
        writer = webdataset.TarWriter(file, encoder=False, mtime=0.0, user="", group="")
        for clip in clips:
            writer.write(clip.encode())
            count += 1
        writer.close()
    partial.replace(path)
    return count


class ShardClip:
    """One clip of a shard; its parts are decoded when asked for."""

    def __init__(self, sample: Mapping[str, Any]) -> None:
        self.key = str(sample["__key__"])
        self._sample = sample

    @cached_property
    def about(self) -> dict[str, Any]:
        """Facts about the clip: prompts, split, identity, actions, object …"""
        about: dict[str, Any] = json.loads(self._part("json"))
        return about

    @property
    def prompts(self) -> tuple[str, ...]:
        """One prompt a block."""
        return tuple(self.about["prompts"])

    @property
    def blocks(self) -> int:
        """Length in blocks."""
        return len(self.prompts)

    @property
    def timing(self) -> BlockTiming:
        """How long its frames and blocks last; the defaults where the shard does not state it."""
        return BlockTiming.from_config(self.about)

    def frames(self, blocks: Collection[int] | None = None) -> np.ndarray:
        """uint8 RGB [frames,H,W,3]: all, or those of `blocks` in order."""
        size = self.timing.frames_per_block
        return self._decoded("mp4", lambda data: decode_video(data, size, blocks))

    @property
    def sound(self) -> np.ndarray:
        """float32 [samples of the blocks] in -1..1."""
        rate = self.timing.sample_rate
        return self._decoded("flac", lambda data: decode_sound(data, rate))

    @cached_property
    def truth(self) -> dict[str, np.ndarray]:
        """The arrays of `ClipRecord.truth`."""
        truth: dict[str, np.ndarray] = self._decoded("npz", decode_arrays)
        return truth

    @property
    def mouth(self) -> np.ndarray:
        """int16 [frames,4]: the mouth's box in pixels, all 0 where it is unknown."""
        return self.truth["mouth"]

    @property
    def reference(self) -> np.ndarray:
        """uint8 RGB [H,W,3]."""
        return self.truth["reference"]

    def _part(self, name: str) -> bytes:
        if name not in self._sample:
            raise ShardError(f"{self._sample.get('__url__')}: clip {self.key} has no .{name}")
        return bytes(self._sample[name])

    def _decoded(self, name: str, decode: Any) -> Any:
        try:
            return decode(self._part(name))
        except ValueError as error:
            raise ShardError(
                f"{self._sample.get('__url__')}: clip {self.key}: {error}; delete the shard and "
                "run `avatar train data` again"
            ) from error


class ShardClips:
    """The clips of a split, shard by shard, in order.

    `part` of `parts` takes every `parts`-th shard, so that processes can share the work.
    Raises FileNotFoundError when the folder has no shard of the split.
    """

    def __init__(self, folder: Path, split: str, *, part: int = 0, parts: int = 1) -> None:
        paths = sorted(folder.glob(f"{split}-*.tar"))
        if not paths:
            raise FileNotFoundError(f"{folder}: no {split} shards (run `avatar train data`)")
        self.paths = paths[part::parts]

    def __len__(self) -> int:
        """Number of clips, as the shards' reports say."""
        reports = (json.loads(path.with_suffix(".json").read_text()) for path in self.paths)
        return sum(int(report["clips"]) for report in reports)

    def __iter__(self) -> Iterator[ShardClip]:
        """Raises ShardError at a damaged shard."""
        for path in self.paths:
            samples = iter(
                webdataset.WebDataset(
                    [str(path)], shardshuffle=False, nodesplitter=None, workersplitter=None,
                    empty_check=False,
                )
            )  # fmt: skip
            while True:
                try:
                    sample = next(samples, None)
                except Exception as error:  # tarfile, EOF and value errors, by where the damage is
                    raise ShardError(
                        f"{path} is damaged ({type(error).__name__}); delete it and run "
                        "`avatar train data` again"
                    ) from error
                if sample is None:
                    break
                yield ShardClip(sample)
