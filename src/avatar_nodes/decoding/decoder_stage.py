"""The last stage: clean latents in the order of the blocks, frames and the adaptive sink out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from avatar_nodes.block.block import BlockLatent, EpochStart, Sink, own_sink
from avatar_nodes.decoding.decoder import StreamingDecoder, start_decoding
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError


class DecoderStage:
    """What a decoder node runs.

    Args:
        decoder: the video decoder, whose state follows the stream.
        latent_shape: [C, frames, h, w] of a block.
        video_size: height and width of the frames, which are those of a reference picture.
    """

    def __init__(
        self, decoder: StreamingDecoder, *, latent_shape: tuple[int, ...],
        video_size: tuple[int, int],
    ) -> None:  # fmt: skip
        self._decoder = decoder
        self._latent_shape = latent_shape
        self._picture_shape = (*video_size, 3)
        self._start: EpochStart | None = None
        self._next_block = 0
        self._wants_sink = False

    @property
    def epoch(self) -> int:
        """The epoch that is being decoded; 0: none."""
        return self._start.epoch if self._start else 0

    def start_epoch(self, start: EpochStart) -> None:
        """Rebuild the decoder's state from the sink and the context's latents.

        Raises:
            RefusedError: `stale` (not a newer epoch), `sink` (none, and the decoder needs
                one), `shape`, `picture` (not of the video's size).
        """
        if start.epoch <= self.epoch:
            raise LeftoverError("stale", f"epoch {start.epoch} after {self.epoch}")
        if start.sink is None and self._decoder.needs_sink:
            raise RefusedError("sink", f"epoch {start.epoch}: this decoder begins with a sink")
        if start.sink is not None:
            self._check_sink(start.sink)
        for past in start.context:
            self._check(past.latent, past.block)
        start_decoding(self._decoder, start)
        self._start, self._next_block = start, start.first_block
        self._wants_sink = start.sink is None or start.sink.version == 0

    def sink_of(self, block: BlockLatent) -> Sink | None:
        """The sink that this block brings: that of an epoch's first block, while it has only the
        reference (Adaptive Attention Sink). It is there before the block is decoded.

        Raises:
            RefusedError: `stale`, `early` (epoch not begun), `order`, `shape`.
        """
        self._check_turn(block)
        if not self._wants_sink or self._start is None:
            return None
        prompt_id = self._start.prompts[-1].id if self._start.prompts else ""
        return own_sink(block.latent, self._start.sink, prompt_id=prompt_id, epoch=block.epoch)

    def decode(self, block: BlockLatent) -> Iterator[np.ndarray]:
        """The frames of the next block, uint8 RGB [n, H, W, 3], latent by latent: the first can be
        shown while the others are decoded.

        Raises:
            RefusedError: as `sink_of`.
        """
        self._check_turn(block)
        start, self._start = self._start, None  # lost, unless the block is made
        for latent in block.latent.split(1, dim=1):
            yield self._decoder.decode(latent)
        self._start, self._next_block, self._wants_sink = start, block.block + 1, False

    def _check_turn(self, block: BlockLatent) -> None:
        if block.epoch != self.epoch:
            reason = "stale" if block.epoch < self.epoch else "early"
            raise LeftoverError(reason, f"block of epoch {block.epoch}, now {self.epoch}")
        if block.block != self._next_block:
            raise RefusedError("order", f"block {block.block}, expected {self._next_block}")
        self._check(block.latent, block.block)

    def _check_sink(self, sink: Sink) -> None:
        channels, _, height, width = self._latent_shape
        frames = self._decoder.sink_frames
        if tuple(sink.latent.shape) != (channels, frames, height, width):
            raise RefusedError("shape", f"sink {list(sink.latent.shape)}")
        if sink.picture is not None and sink.picture.shape != self._picture_shape:
            found, wanted = list(sink.picture.shape), list(self._picture_shape)
            raise RefusedError("picture", f"reference picture {found}, expected {wanted}")

    def _check(self, latent: Tensor, block: int) -> None:
        if tuple(latent.shape) != self._latent_shape:
            wanted = list(self._latent_shape)
            found = list(latent.shape)
            raise RefusedError("shape", f"block {block}: latent {found}, expected {wanted}")
        if not torch.isfinite(latent).all():
            raise RefusedError("not_finite", f"block {block}: NaN or infinity in the latent")
