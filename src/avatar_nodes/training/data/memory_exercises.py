"""Draws the exercises that teach visual memory: windows of a clip, and memory of the rest of it.

Reconstruct (InteractiveAvatar). A window is denoised from what memory holds. Of short memory random
frames are kept, those of the window among them where it lies there; the others are masked with
noise. Of long memory only the frame nearest in time is kept, as an anchor. So tokens carry what any
frame looked like.

Recall. The window shows a thing; one to three of the key frames do, and short memory does not. So
blocks find the one frame that matters among many.

Continue. A window in the situation of the stream: its last block has the short memory that the
stream has there, `lag` blocks behind, and random earlier key frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.encoded import motion_cells
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.world.prompts import named_thing, without_name

_ARM_RISES = 3
"""Latent frames after a prompt to show a thing in which it may not be in sight yet."""
_MOST_OF_THE_THING = 3


class MemorySizes(NamedTuple):
    """Reach of memory: latent frames in short and long memory; blocks that it is behind; latents in
    a block.
    """

    short: int
    long: int
    lag: int
    block: int = BlockTiming().latents_per_block


class Exercise(NamedTuple):
    """Exercise of one stream: the first block of its window, its memory as frames of [F, C, h, w],
    and the numbers of the clip's frames that can be seen in that memory."""

    first: int
    long: Tensor
    short: Tensor
    seen: np.ndarray


@dataclass(frozen=True)
class RememberingBatch(WindowBatch):
    """Windows with the memory that each has."""

    long: Tensor
    """float32 [B, frames, C, h, w]."""
    short: Tensor
    """float32 [B, frames, C, h, w]."""


def reconstruction(
    frames: Tensor, window: int, sizes: MemorySizes, kept_share: float, rng: np.random.Generator
) -> Exercise:
    """Any window of the clip [F, C, h, w], to be made from memory."""
    count, kept = len(frames), sizes.short
    begin_short = int(rng.integers(count - kept + 1))
    block = int(rng.integers(count // sizes.block - window + 1))
    target = _frames_of(block, window, sizes.block)
    place = np.arange(begin_short, begin_short + kept)
    visible = (rng.random(kept) < kept_share) | np.isin(place, target)
    short = _masked(frames[place], visible, rng)
    others = np.setdiff1d(np.arange(count), np.concatenate([place, target]))
    order = others[np.argsort(np.abs(others - target.mean()), kind="stable")]
    slots = np.resize(order, sizes.long) if len(order) else np.zeros(0, int)
    nearest_first = np.arange(len(slots)) == 0
    seen = np.concatenate([slots[:1], place[visible]])
    return Exercise(block, _masked(frames[slots], nearest_first, rng), short, seen)


def continuation(
    frames: Tensor, window: int, sizes: MemorySizes, rng: np.random.Generator, *,
    changes: Sequence[int] = (),
) -> Exercise:  # fmt: skip
    """A window late in the clip [F, C, h, w], whose last block has the memory of the stream.

    changes: the window holds one of these blocks, not as its first, where possible.
    """
    last = len(frames) // sizes.block - window
    behind = max(window, sizes.lag) - window
    lowest = behind + -(-sizes.short // sizes.block) + 1
    around = [n for n in range(lowest, last + 1) if any(0 < c - n < window for c in changes)]
    first = int(rng.choice(around or np.arange(max(lowest, last - 2), last + 1)))
    end = sizes.block * (first - behind)
    begin_short = end - sizes.short
    earlier = rng.choice(begin_short, sizes.long, replace=begin_short < sizes.long)
    place = np.concatenate([np.sort(earlier), np.arange(begin_short, end)])
    long, short = frames[place].split([len(earlier), sizes.short])
    return Exercise(first, long, short, place)


def recall(
    frames: Tensor, shows: np.ndarray, window: int, sizes: MemorySizes, rng: np.random.Generator
) -> Exercise | None:
    """A window in which a thing is shown, which only one to three of the key frames show.

    shows: bool [F], the frames of the clip [F, C, h, w] with the thing in sight. None where the
    clip shows nothing, or nothing else.
    """
    count = len(frames)
    if not shows.any():
        return None
    block = int(rng.choice(np.flatnonzero(shows))) // sizes.block
    last = count // sizes.block - window
    first = int(np.clip(block - rng.integers(window), 0, last))
    target = _frames_of(first, window, sizes.block)
    rest = np.setdiff1d(np.flatnonzero(~near(shows)), target)
    if len(rest) < 2:
        return None
    apart = np.setdiff1d(np.flatnonzero(shows), target)
    # where it is shown once, and briefly, the window's own frames have to do
    of_thing = rng.permutation(apart if len(apart) else np.flatnonzero(shows))
    of_thing = of_thing[: int(rng.integers(1, _MOST_OF_THE_THING + 1))][: sizes.long]
    begin = int(rng.integers(max(1, len(rest) - sizes.short + 1)))
    place = np.sort(np.resize(rest[begin : begin + sizes.short], sizes.short))
    others = np.setdiff1d(rest, place)
    pool = rng.permutation(others if len(others) else rest)
    slots = rng.permutation(np.concatenate([of_thing, np.resize(pool, sizes.long - len(of_thing))]))
    return Exercise(first, frames[slots], frames[place], np.concatenate([slots, place]))


def near(shows: np.ndarray) -> np.ndarray:
    """Those frames, and those beside them in which a part of the thing may be in sight."""
    reach = 2 * _ARM_RISES
    padded = np.pad(shows, reach)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.any(around, axis=1, keepdims=False)


def showing(
    things: Sequence[str | None], block: int = BlockTiming().latents_per_block
) -> np.ndarray:
    """bool [F]: the frames of a clip that show a thing; things: what each block's prompt names;
    block: latents in a block.
    """
    named = np.repeat([thing is not None for thing in things], block)
    begins = named & ~np.concatenate([[False], named[:-1]])
    for start in np.flatnonzero(begins):
        named[start : start + _ARM_RISES] = False
    return named


def things_named(batch: WindowBatch) -> list[list[str | None]]:
    """The thing that the prompt of each block names, for every row of a batch."""
    names = [named_thing(prompt) for prompt in batch.prompts]
    return [[names[which] for which in row] for row in batch.prompt_index.tolist()]


def things_seen(
    batch: WindowBatch, shows: Sequence[np.ndarray], streams: Sequence[Exercise]
) -> list[set[str | None]]:
    """The things that each stream's memory shows, by name; batch: the whole clips."""
    block = batch.latents.shape[3]
    rows = zip(things_named(batch), shows, streams, strict=True)
    return [
        {things[n // block] for n in stream.seen if in_sight[n]}
        for things, in_sight, stream in rows
    ]


def exercises(
    batch: WindowBatch, streams: Sequence[Exercise], window: int, *, noise: float,
    own_sink_share: float, rng: np.random.Generator,
) -> RememberingBatch:  # fmt: skip
    """Each stream's window of `window` blocks from its first one on, with its memory.

    noise: what is remembered is spoilt by up to so much, as a stream remembers what it made
    itself. own_sink_share: windows after the clip's first block whose sink is its first latent
    (AAS).
    """

    def cut(x: Tensor) -> Tensor:
        rows = zip(x, streams, strict=True)
        return torch.stack([row[s.first : s.first + window] for row, s in rows])

    by_block = ("latents", "audio", "mouth", "motion", "counts", "prompt_index")
    values: dict[str, Any] = {f.name: getattr(batch, f.name) for f in fields(WindowBatch)}
    values |= {name: cut(values[name]) for name in by_block}
    values["sink"] = batch.sink.clone()
    for row, stream in enumerate(streams):
        if stream.first and rng.random() < own_sink_share:
            _take_own_sink(values, row, batch.latents[row, 0, :, :1])
    made: dict[str, Any] = {
        "long": torch.stack([_spoilt(stream.long, noise, rng) for stream in streams]),
        "short": torch.stack([_spoilt(stream.short, noise, rng) for stream in streams]),
    }
    return RememberingBatch(**values, **made)


def _take_own_sink(values: dict[str, Any], row: int, sink: Tensor) -> None:
    """Give a row another sink [C, 1, h, w]; what moves is measured against it."""
    values["sink"][row] = sink
    window = values["latents"][row].transpose(1, 2).flatten(0, 1)  # [F, C, h, w]
    moved = motion_cells(window.numpy(), sink.transpose(0, 1).numpy())
    by_block = torch.from_numpy(moved).float().unflatten(0, (len(values["latents"][row]), -1))
    values["motion"][row] = by_block.transpose(1, 2)


def unnamed(
    batch: RememberingBatch, things: Sequence[set[str | None]], share: float,
    rng: np.random.Generator,
) -> RememberingBatch:  # fmt: skip
    """With "it" for those `things` of each window, in a share of the windows."""
    prompts = list(batch.prompts)
    index, sinks = batch.prompt_index.clone(), batch.sink_prompt.clone()

    def said(which: int, known: set[str | None]) -> int:
        name = named_thing(prompts[which])
        if name is None or name not in known:
            return which
        prompts.append(without_name(prompts[which]))
        return len(prompts) - 1

    for row, known in enumerate(things):
        if rng.random() < share:
            index[row] = torch.tensor([said(which, known) for which in index[row].tolist()])
            sinks[row] = said(int(sinks[row]), known)
    return replace(batch, prompts=prompts, prompt_index=index, sink_prompt=sinks)


def partial(
    batch: RememberingBatch, rng: np.random.Generator, *, nothing: bool = True
) -> RememberingBatch:
    """Without key frames, or (where `nothing` allows it) with nothing remembered. Not with every
    number of frames in between: each would be compiled for anew."""
    kept = 0 if nothing and rng.random() < 0.5 else batch.short.shape[1]
    return replace(batch, long=batch.long[:, :0], short=batch.short[:, :kept])


def _frames_of(first: int, count: int, block: int) -> np.ndarray:
    """The latent frames of `count` blocks from `first` on, `block` in each."""
    return np.arange(block * count) + block * first


def _masked(frames: Tensor, visible: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Frames [F, C, h, w], noise where `visible` [F] is not."""
    noise = torch.from_numpy(rng.standard_normal(tuple(frames.shape), np.float32))
    return torch.where(torch.from_numpy(visible).view(-1, 1, 1, 1), frames, noise)


def _spoilt(frames: Tensor, amount: float, rng: np.random.Generator) -> Tensor:
    """Frames [F, C, h, w] with noise of a deviation of 0 to `amount`."""
    if not amount:
        return frames
    noise = torch.from_numpy(rng.standard_normal(tuple(frames.shape), np.float32))
    return frames + float(rng.uniform(0.0, amount)) * noise
