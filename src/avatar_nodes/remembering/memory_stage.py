"""Takes clean latents in the order of the blocks, and makes versions of memory of them."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block import BlockLatent, EpochStart, Memory
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.model.compressor import MemoryCompressor
from avatar_nodes.remembering.frame_features import FrameFeatures
from avatar_nodes.remembering.key_frames import KeyFrameRules
from avatar_nodes.remembering.visual_memory import RememberedFrame, VisualMemory

_HELD = 32
"""Blocks that wait for their other half (latent or frames), at most."""
_KEPT = 128
"""Past versions that an epoch can go back to: more than can ever be under way."""


class MemoryStage:
    """Remembers a stream.

    Args:
        compressor: on its device, in evaluation mode.
        features: what key frames are chosen by.
        rules: how they are chosen; `capacity` is the length of long memory in latent frames.
        short: length of short memory in latent frames.
        lag: blocks by which a block's memory is behind it (`MemoryVersions`).
        latent_shape: [C, latents, h, w] of a block.
        block_frames: video frames of a block.
        frame_shape: [tokens, dim] of a remembered frame.
    """

    def __init__(
        self,
        compressor: MemoryCompressor,
        features: FrameFeatures,
        *,
        rules: KeyFrameRules,
        short: int,
        lag: int,
        latent_shape: tuple[int, ...],
        block_frames: int,
        frame_shape: tuple[int, int],
    ) -> None:
        if lag < 1:
            raise ConfigurationError(f"memory: lag must be at least 1, got {lag}")
        self.lag = lag
        self.needs_frames = features.needs_frames
        self._compressor = compressor
        self._device = next(compressor.parameters()).device
        self._features = features
        self._rules = rules
        self._short = short
        self._latent_shape = latent_shape
        self._block_frames = block_frames
        self._frame_shape = frame_shape
        self._start: EpochStart | None = None
        self._next_block = 0
        self._past: OrderedDict[int, VisualMemory] = OrderedDict()
        self._latents: dict[int, Tensor] = {}
        self._frames: dict[int, np.ndarray] = {}
        self.memory = self._nothing(None)
        """What is remembered now."""

    def reset(self) -> None:
        """Forget everything, the epoch too."""
        self._start = None
        self._past.clear()
        self._latents.clear()
        self._frames.clear()
        self.memory = self._nothing(None)

    @property
    def epoch(self) -> int:
        """The epoch that is remembered; 0: none."""
        return self._start.epoch if self._start else 0

    def blocks(self, version: int) -> tuple[int, ...]:
        """The block of each frame of a version, key frames first; none if it is not kept."""
        memory = self._past.get(version)
        if memory is None:
            return ()
        return tuple(frame.block for frame in (*memory.keys.items, *memory.recent))

    def start_epoch(self, start: EpochStart) -> list[Memory]:
        """Go back to what was remembered before the epoch's first block. Returns the versions that
        its first blocks can ask for, oldest first.

        What is missing of it (an epoch may overtake a block's latent; a node may have lost
        everything) is taken from the epoch's context, as far as that reaches.

        Raises:
            RefusedError: `stale` (not a newer epoch), `shape`, `not_finite`.
        """
        if start.epoch <= self.epoch:
            raise LeftoverError("stale", f"epoch {start.epoch} after {self.epoch}")
        if start.sink is not None:
            channels, _, height, width = self._latent_shape
            self._check(start.sink.latent[:, :1], (channels, 1, height, width), "the sink")
        for past in start.context:
            self._check(past.latent, self._latent_shape, f"block {past.block}")
        if self._start is None or not _goes_on(self._start, start):
            self._past.clear()
        version = start.first_block - start.stream_start
        for later in [known for known in self._past if known > version]:
            del self._past[later]
        self._latents.clear()
        self._frames.clear()
        self._start, self._next_block = start, start.first_block
        self.memory = self._before(start, version)
        if version:
            self._past[version] = self.memory
        first = max(1, version + 1 - self.lag)
        return [self._tokens(known) for known in self._past if known >= first]

    def take(self, block: BlockLatent) -> list[Memory]:
        """A clean latent; returns the versions that it completes.

        Raises:
            RefusedError: `stale`, `early` (epoch not begun), `order`, `shape`, `not_finite`.
        """
        self._check_turn(block.epoch, block.block)
        self._check(block.latent, self._latent_shape, f"block {block.block}")
        self._latents[block.block] = block.latent
        return self._complete()

    def take_frames(
        self, epoch: int, block: int, frames: np.ndarray, *, first: int = 0
    ) -> list[Memory]:
        """Decoded frames of a block, uint8 RGB [n, H, W, 3], from frame `first` on; returns the
        versions completed.

        Raises:
            RefusedError: as `take`; `shape` also for frames that do not follow those there.
        """
        self._check_turn(epoch, block)
        there = self._frames.get(block, frames[:0])
        if first != len(there) or first + len(frames) > self._block_frames:
            raise RefusedError(
                "shape", f"block {block}: {len(frames)} frames from {first} after {len(there)}"
            )
        self._frames[block] = np.concatenate([there, frames])
        return self._complete()

    def _complete(self) -> list[Memory]:
        made = []
        while self._next_block in self._latents and (
            not self.needs_frames
            or len(self._frames.get(self._next_block, ())) == self._block_frames
        ):
            block = self._next_block
            # What cannot be remembered now is tried again with the next block.
            frames = self._frames.get(block)
            self.memory = self.memory.after(self._remembered(block, self._latents[block], frames))
            del self._latents[block]
            self._frames.pop(block, None)
            self._next_block += 1
            made.append(self._keep())
        return made

    def _keep(self) -> Memory:
        assert self._start is not None
        version = self._next_block - self._start.stream_start
        self._past[version] = self.memory
        while len(self._past) > _KEPT:
            self._past.popitem(last=False)
        return self._tokens(version)

    def _before(self, start: EpochStart, version: int) -> VisualMemory:
        """The memory of the stream's first `version` blocks, or what there is of it."""
        newest = max(self._past, default=0)
        memory = self._past[newest] if newest else self._nothing(start)
        if self.needs_frames:
            return memory
        for past in start.context:
            if past.block >= start.stream_start + newest:
                memory = memory.after(self._remembered(past.block, past.latent, None))
        return memory

    @torch.inference_mode()
    def _remembered(
        self, block: int, latent: Tensor, frames: np.ndarray | None
    ) -> list[RememberedFrame]:
        features = self._features.describe(latent, frames)
        tokens = self._compressor(latent.transpose(0, 1).to(self._device)).float().cpu()
        return [
            RememberedFrame(block, frame, feature)
            for frame, feature in zip(tokens, features, strict=True)
        ]

    def _tokens(self, version: int) -> Memory:
        return self._past[version].tokens(
            version=version, epoch=self.epoch, frame_shape=self._frame_shape
        )

    def _nothing(self, start: EpochStart | None) -> VisualMemory:
        """An empty memory; key frames must be like the sink, if that can be described. Lots are
        drawn anew for every stream."""
        reference, rules = None, self._rules
        if start is not None and start.sink is not None and not self.needs_frames:
            reference = self._features.describe(start.sink.latent)[0]
        if start is not None:
            rules = replace(rules, seed=(rules.seed + start.seed) % 2**63)
        return VisualMemory.empty(short=self._short, rules=rules, reference=reference)

    def _check_turn(self, epoch: int, block: int) -> None:
        if epoch != self.epoch:
            reason = "stale" if epoch < self.epoch else "early"
            raise LeftoverError(reason, f"block of epoch {epoch}, now {self.epoch}")
        if not self._next_block <= block < self._next_block + _HELD:
            raise RefusedError("order", f"block {block}, expected {self._next_block}")

    @staticmethod
    def _check(latent: Tensor, shape: tuple[int, ...], owner: str) -> None:
        if tuple(latent.shape) != shape:
            found, wanted = list(latent.shape), list(shape)
            raise RefusedError("shape", f"{owner}: latent {found}, expected {wanted}")
        if not torch.isfinite(latent).all():
            raise RefusedError("not_finite", f"{owner}: NaN or infinity in the latent")


def _goes_on(before: EpochStart, start: EpochStart) -> bool:
    """Whether an epoch continues the stream of another."""
    same = (before.stream_start, before.seed) == (start.stream_start, start.seed)
    return same and start.first_block > start.stream_start
