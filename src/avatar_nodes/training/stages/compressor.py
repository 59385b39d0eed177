"""Trains visual memory: the compressor, and optionally the transformer that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.model.dit_config import MemoryConfig
from avatar_nodes.model.visual_memory import MemoryLatents
from avatar_nodes.training.data.encoded import EncodedClips
from avatar_nodes.training.data.memory_exercises import (
    Exercise,
    MemorySizes,
    RememberingBatch,
    continuation,
    exercises,
    partial,
    recall,
    reconstruction,
    showing,
    things_named,
    things_seen,
    unnamed,
)
from avatar_nodes.training.data.switched_prompts import prompt_changes, switched
from avatar_nodes.training.data.window_batch import WindowBatch
from avatar_nodes.training.export_quality import sample_export
from avatar_nodes.training.flow.matching import draw_sigmas
from avatar_nodes.training.flow.train import FlowOptions, begin, train_flow
from avatar_nodes.training.transformer.lora import LowRank
from avatar_nodes.training.transformer.talking_model import TalkingModel

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class CompressorTraining(FlowOptions):
    """Settings of training visual memory."""

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
    reconstruct_share: float = 0.2
    recall_share: float = 0.45
    """Shares of steps that reconstruct, and recall; the others continue (`memory_exercises`)."""
    show_share: float = 0.5
    """Share of windows from clips that show a thing, where the step does not recall."""
    partial_share: float = 0.25
    """Share of steps with short memory alone, or none: how a stream begins."""
    unnamed_share: float = 0.5
    """Share of windows whose prompts call a thing that memory shows just "it"."""
    memory_noise: float = 0.1
    """Most noise in what is remembered: a stream remembers what it made itself."""
    own_sink_share: float = 0.6
    """Share of later windows whose sink is the clip's own first latent (AAS)."""
    change_share: float = 0.5
    """Share of the windows that continue in which the prompt changes, where the clip has that."""
    switch_share: float = 0.0
    """See `CausalTraining`."""
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
        if self.reconstruct_share + self.recall_share > 1.0:
            raise ValueError(
                "reconstruct_share and recall_share are above 1 together:"
                f" {self.reconstruct_share} + {self.recall_share}"
            )
        self.sizes(BlockTiming().latents_per_block)

    @property
    def trained_memory(self) -> MemoryConfig:
        """`memory`, with the lag that it is trained at."""
        return replace(self.memory, lag=self.lag)

    def sizes(self, block: int) -> MemorySizes:
        """Reach of memory in a stream of `block` latents a block.

        Raises ValueError: fewer blocks than the window, or the gap up to its end, with short memory
        and one block before it.
        """
        needed = max(self.window, self.lag) + -(-self.memory.short // block) + 1
        if self.blocks < needed:
            raise ValueError(
                f"blocks must be at least {needed} for a window of {self.window}, a lag of"
                f" {self.lag} and {self.memory.short} latents in short memory, got {self.blocks}"
            )
        return MemorySizes(self.memory.short, self.memory.long, self.lag, block)


class RememberingModel(TalkingModel):
    """A talking model with visual memory."""

    @classmethod
    def begin(cls, export: Path, options: CompressorTraining, *, renew: bool = False) -> Self:
        """An export's model with a compressor, its own if it has one; what is trained is chosen.

        renew: a memory of another kind makes way for an untrained one of the recipe's.
        Raises CheckpointError; ValueError if the export has a memory of another kind, unless
        `renew`.
        """
        model = cls.load(export, adapters=options.lora)
        found = model.dit.config.memory
        wanted = options.trained_memory
        if found is None or (renew and found != wanted):
            model.dit.add_memory(wanted)
        elif found != wanted:
            raise ValueError(f"{export}: has another memory than the recipe's {wanted}: {found}")
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

    def draw(self, clips: EncodedClips, rng: np.random.Generator) -> tuple[WindowBatch, Tensor]:
        options, kind = self.options, rng.random()
        recalls = kind < options.recall_share
        reconstructs = not recalls and kind < options.recall_share + options.reconstruct_share
        share = 1.0 if recalls else options.show_share
        batch = clips.batch(rng, options.batch, options.blocks, show_share=share)
        sizes = options.sizes(batch.latents.shape[3])
        shows = [showing(things, sizes.block) for things in things_named(batch)]

        def exercise(row: int, frames: Tensor) -> Exercise:
            window = options.window
            if reconstructs:
                return reconstruction(frames, window, sizes, options.kept_share, rng)
            found = recall(frames, shows[row], window, sizes, rng) if recalls else None
            wanted = rng.random() < options.change_share
            changes = prompt_changes(batch.prompt_index[row]) if wanted else ()
            return found or continuation(frames, window, sizes, rng, changes=changes)

        rows = enumerate(batch.latents.transpose(2, 3).flatten(1, 2))  # [B, F, C, h, w]
        streams = [exercise(row, frames) for row, frames in rows]
        made = exercises(
            batch, streams, options.window, noise=options.memory_noise,
            own_sink_share=options.own_sink_share, rng=rng,
        )  # fmt: skip
        if rng.random() < options.partial_share:
            # of nothing the compressor learns nothing
            learns_alone = not options.train_transformer and options.lora is None
            made = partial(made, rng, nothing=not learns_alone)
        else:
            made = unnamed(made, things_seen(batch, shows, streams), options.unnamed_share, rng)
        made = switched(made, options.switch_share, rng)
        shape = (options.batch, options.window)
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
    renew: bool = False,
) -> None:
    """Train; leaves an export with visual memory. Samples are streams that remember nothing.

    start: the export to begin from, with its text encoder. renew: see `RememberingModel.begin`.
    """
    workers = begin(options.seed)
    model = RememberingModel.begin(start, options, renew=renew)
    train_flow(
        options, model.settle(workers), _CompressorStage(options, sigmas, vae), workers=workers,
        config=model.dit.config, clips=clips, folder=folder, resume=resume,
    )  # fmt: skip
