"""Trains visual memory: the compressor, and if wanted the transformer that reads it.

Two exercises, mixed (InteractiveAvatar):

Reconstruct. A window of the clip is to be denoised from what memory holds. Of short memory random
frames are kept, those of the window among them where it lies there; the others are masked with
noise. Of long memory only the frame nearest in time to the window is kept, as an anchor. So tokens
must carry what any frame looked like, and blocks learn to look there.

Continue. The last blocks of the clip, in the situation of the stream: the frames up to `lag` blocks
before are in short memory, random earlier ones in long memory.

In a share of both, a thing that memory shows is not named again: the prompt says "it", so what it
looks like has to come from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.model.causal import BLOCK_FRAMES
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.model.memory import MemoryLatents
from avatar_nodes.training.encoded import WindowBatch
from avatar_nodes.training.flow_matching import draw_sigmas
from avatar_nodes.training.flow_training import FlowOptions, begin, train_flow
from avatar_nodes.training.lora import LowRank
from avatar_nodes.training.samples import sample_export
from avatar_nodes.training.talking_model import TalkingModel
from avatar_nodes.training.world.prompts import named_thing, without_name

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class CompressorTraining(FlowOptions):
    """How to train visual memory."""

    steps: int = 3000
    blocks: int = 12
    """Blocks drawn of a clip: the history and the window at its end."""
    window: int = 2
    """Blocks that are made."""
    lag: int = 4
    """Blocks by which memory is behind the window, as in the stream."""
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    learning_rate: float = 5e-4
    matrix_learning_rate: float | None = None
    reconstruct_share: float = 0.5
    """Share of steps that reconstruct; the others continue."""
    partial_share: float = 0.25
    """Share of steps with short memory alone, or none: how a stream begins."""
    unnamed_share: float = 0.5
    """Share of windows whose prompts call a thing that memory shows just "it"."""
    kept_share: float = 0.5
    """Share of short memory that is not masked when a block is reconstructed."""
    on_schedule_share: float = 0.75
    """Share of noise levels drawn from the few that inference visits; the rest is continuous."""
    train_transformer: bool = False
    """Train the transformer's weights, too (the paper's stage 2). False: they stay as they are, and
    a stream that remembers nothing stays the same, bit for bit."""
    lora: LowRank | None = None
    """Train low-rank adapters of the transformer instead of its weights."""

    def __post_init__(self) -> None:
        if self.blocks < self.needed_blocks:
            raise ValueError(
                f"blocks must be at least {self.needed_blocks} for a window of {self.window}, a lag"
                f" of {self.lag} and {self.memory.short} latents in short memory, got {self.blocks}"
            )

    @property
    def needed_blocks(self) -> int:
        """Window, gap, short memory and at least one block before it."""
        return self.window + self.lag - 1 + -(-self.memory.short // BLOCK_FRAMES) + 1


@dataclass(frozen=True)
class RememberingBatch(WindowBatch):
    """Windows, and what is remembered in them."""

    long: Tensor
    """float32 [B, frames, C, h, w]."""
    short: Tensor
    """float32 [B, frames, C, h, w]."""


class Exercise(NamedTuple):
    """One stream's: the first block of its window, and its memory as frames of [F, C, h, w]; the
    numbers of the clip's frames that can be seen in it."""

    first: int
    long: Tensor
    short: Tensor
    seen: np.ndarray


class RememberingModel(TalkingModel):
    """A talking model with visual memory."""

    @classmethod
    def begin(cls, export: Path, options: CompressorTraining) -> Self:
        """An export's model with a compressor, its own if it has one; what is trained is chosen.

        Raises CheckpointError; ValueError if the export has another kind of memory.
        """
        model = cls.load(export, adapters=options.lora)
        if model.dit.config.memory is None:
            model.dit.add_memory(options.memory)
        elif model.dit.config.memory != options.memory:
            raise ValueError(f"{export}: has another memory: {model.dit.config.memory}")
        if options.lora is None:
            model.dit.requires_grad_(options.train_transformer)
        model.dit.memory_compressor.requires_grad_(True)
        return model

    def forward(self, batch: WindowBatch, x: Tensor, sigma: Tensor) -> Tensor:
        """See `TalkingModel.forward`; the batch is a `RememberingBatch`."""
        assert isinstance(batch, RememberingBatch)
        return self.dit.forward_window(
            x, 1000.0 * sigma, batch.audio, self.states(batch.prompts), batch.sink,
            prompt_index=batch.prompt_index, sink_prompt_index=batch.sink_prompt,
            memory_latents=MemoryLatents(batch.long, batch.short),
        )  # fmt: skip


@dataclass(frozen=True)
class _CompressorStage:
    options: CompressorTraining
    sigmas: Sequence[float]
    vae: Path

    def draw(self, batch: WindowBatch, rng: np.random.Generator) -> tuple[WindowBatch, Tensor]:
        options = self.options
        reconstruct = rng.random() < options.reconstruct_share
        exercise = reconstruction if reconstruct else continuation
        streams = [exercise(frames, options, rng) for frames in _frames(batch.latents)]
        made = exercises(batch, streams, options.window)
        if rng.random() < options.partial_share:
            made = partial(made, rng)
        else:
            made = unnamed(made, batch.prompt_index, streams, options.unnamed_share, rng)
        shape = (options.batch, made.latents.shape[1])
        return made, draw_sigmas(rng, shape, self.sigmas[:-1], options.on_schedule_share)

    def sample(self, export: Path, picture: Path) -> float:
        return sample_export(export, self.vae, self.sigmas, picture)


def train_compressor(
    options: CompressorTraining,
    *,
    start: Path,
    clips: Path,
    folder: Path,
    sigmas: Sequence[float],
    vae: Path,
    resume: bool,
) -> None:
    """Train; leaves an export with visual memory. Samples are streams that remember nothing.

    start: the export to begin from, with its text encoder.
    """
    workers = begin(options.seed)
    model = RememberingModel.begin(start, options)
    train_flow(
        options, model.settle(workers), _CompressorStage(options, sigmas, vae), workers=workers,
        config=model.dit.config, clips=clips, folder=folder, resume=resume,
    )  # fmt: skip


def reconstruction(
    frames: Tensor, options: CompressorTraining, rng: np.random.Generator
) -> Exercise:
    """Any window of the clip [F, C, h, w], to be made from memory."""
    count, kept = len(frames), options.memory.short
    begin_short = int(rng.integers(count - kept + 1))
    block = int(rng.integers(count // BLOCK_FRAMES - options.window + 1))
    target = np.arange(BLOCK_FRAMES * options.window) + BLOCK_FRAMES * block
    place = np.arange(begin_short, begin_short + kept)
    visible = (rng.random(kept) < options.kept_share) | np.isin(place, target)
    short = _masked(frames[place], visible, rng)
    others = np.setdiff1d(np.arange(count), np.concatenate([place, target]))
    order = others[np.argsort(np.abs(others - target.mean()), kind="stable")]
    slots = np.resize(order, options.memory.long) if len(order) else np.zeros(0, int)
    nearest_first = np.arange(len(slots)) == 0
    seen = np.concatenate([slots[:1], place[visible]])
    return Exercise(block, _masked(frames[slots], nearest_first, rng), short, seen)


def continuation(frames: Tensor, options: CompressorTraining, rng: np.random.Generator) -> Exercise:
    """The last blocks of the clip [F, C, h, w] after their history, as in the stream."""
    first = len(frames) // BLOCK_FRAMES - options.window
    end = BLOCK_FRAMES * (first - options.lag + 1)
    begin_short = end - options.memory.short
    earlier = rng.choice(
        begin_short, options.memory.long, replace=begin_short < options.memory.long
    )
    place = np.concatenate([np.sort(earlier), np.arange(begin_short, end)])
    long, short = frames[place].split([len(earlier), end - begin_short])
    return Exercise(first, long, short, place)


def exercises(batch: WindowBatch, streams: Sequence[Exercise], window: int) -> RememberingBatch:
    """Each stream's window of `window` blocks from its first one on, with its memory."""

    def cut(x: Tensor) -> Tensor:
        rows = zip(x, streams, strict=True)
        return torch.stack([row[s.first : s.first + window] for row, s in rows])

    by_block = ("latents", "audio", "mouth", "motion", "prompt_index")
    values: dict[str, Any] = {f.name: getattr(batch, f.name) for f in fields(WindowBatch)}
    values |= {name: cut(values[name]) for name in by_block}
    return RememberingBatch(
        **values,
        long=torch.stack([stream.long for stream in streams]),
        short=torch.stack([stream.short for stream in streams]),
    )


def unnamed(
    batch: RememberingBatch, clip_prompts: Tensor, streams: Sequence[Exercise], share: float,
    rng: np.random.Generator,
) -> RememberingBatch:  # fmt: skip
    """With "it" for the things that memory shows, in a share of the windows.

    clip_prompts: int64 [B, blocks of the clip] into the batch's prompts.
    """
    prompts, index = list(batch.prompts), batch.prompt_index.clone()
    for row, stream in enumerate(streams):
        shown = {named_thing(prompts[clip_prompts[row, n]]) for n in stream.seen // BLOCK_FRAMES}
        if rng.random() >= share:
            continue
        for block, which in enumerate(index[row].tolist()):
            if named_thing(prompts[which]) in shown - {None}:
                prompts.append(without_name(prompts[which]))
                index[row, block] = len(prompts) - 1
    return replace(batch, prompts=prompts, prompt_index=index)


def partial(batch: RememberingBatch, rng: np.random.Generator) -> RememberingBatch:
    """Without key frames, or with nothing remembered. Not with every number of frames in between:
    each would be compiled for anew."""
    kept = 0 if rng.random() < 0.5 else batch.short.shape[1]
    return replace(batch, long=batch.long[:, :0], short=batch.short[:, :kept])


def _masked(frames: Tensor, visible: np.ndarray, rng: np.random.Generator) -> Tensor:
    """Frames [F, C, h, w], noise where `visible` [F] is not."""
    noise = torch.from_numpy(rng.standard_normal(tuple(frames.shape), np.float32))
    return torch.where(torch.from_numpy(visible).view(-1, 1, 1, 1), frames, noise)


def _frames(latents: Tensor) -> Tensor:
    """[B, N, C, 3, h, w] -> [B, 3 N, C, h, w]."""
    return latents.transpose(2, 3).flatten(1, 2)
