"""All stages in one process, one block after another (Live Avatar, Algorithm 3).

It runs the very `Stage`, decoder and features that the nodes run, so it is the oracle the graph is
held to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from avatar_nodes.block.audio_features import AudioFeatures
from avatar_nodes.block.audio_window import AudioWindow, blocks_and_what_follows
from avatar_nodes.block.block import (
    BlockConditioning,
    BlockContext,
    BlockLatent,
    EpochStart,
    Memory,
    Prompt,
    Sink,
)
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.decoding.decoder import StreamingDecoder, start_decoding
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.remembering.memory_stage import MemoryStage

AAS_FROM_BLOCK = 1
"""First block of a stream (from 0) that attends to the stream's own first latent frame."""


class Pipeline:
    """Sound in, frames out, for as long as it is asked.

    stages: in order, covering every step of one schedule. past_blocks: blocks kept for `recover`.
    aas_from_block: first block that uses the stream's own sink; at least 1. None: no block does,
    the reference stays the sink. cache_switching: the first block of a new prompt switches the
    caches to it. memory: what the stream remembers beyond its past blocks.
    """

    def __init__(
        self, stages: Sequence[Stage], decoder: StreamingDecoder, features: AudioFeatures, *,
        past_blocks: int, aas_from_block: int | None = AAS_FROM_BLOCK,
        cache_switching: bool = False, memory: MemoryStage | None = None,
    ) -> None:  # fmt: skip
        if aas_from_block is not None and aas_from_block < 1:
            raise ValueError(f"aas_from_block must be at least 1, got {aas_from_block}")
        steps = [step for stage in stages for step in stage.steps]
        if not steps or steps != list(range(len(steps))):
            raise ValueError(f"stages must cover the steps from 0 in order, got {steps}")
        self._stages = list(stages)
        self._decoder = decoder
        self._features = features
        self._aas_from_block = aas_from_block
        self._cache_switching = cache_switching
        self._memory = memory
        self._versions = MemoryVersions(lag=memory.lag if memory else 0)
        self._block_samples = features.timing.samples_per_block
        self._audio_window = AudioWindow(
            self._block_samples, features.context_samples, features.lookahead_samples
        )
        self._context: deque[BlockContext] = deque(maxlen=past_blocks)
        self._start: EpochStart | None = None
        self._prompts: dict[str, Prompt] = {}
        self._prompt_id = ""
        self._sinks: dict[int, Sink] = {}
        self._block = 0

    @property
    def timing(self) -> BlockTiming:
        """How long the model's frames and blocks last."""
        return self._features.timing

    @property
    def block(self) -> int:
        """Index of the block that comes next."""
        return self._block

    def start(
        self, reference: np.ndarray, prompt: Prompt, *, seed: int = 0, first_block: int = 0
    ) -> None:
        """Begins a stream: reference uint8 [H, W, 3] of the video's size, the seed of its noise."""
        latent = self._decoder.encode_reference(reference)
        self._prompts, self._prompt_id = {prompt.id: prompt}, prompt.id
        self._sinks = {0: Sink(0, latent, prompt.id)}
        self._context.clear()
        self._audio_window.reset()
        if self._memory is not None:
            self._memory.reset()
        self._block = first_block
        self._begin(
            EpochStart(
                epoch=1,
                first_block=first_block,
                seed=seed,
                sink=self._sinks[0],
                prompts=(prompt,),
                stream_start=first_block,
            )
        )

    def set_prompt(self, prompt: Prompt) -> None:
        """The prompt from the next block on."""
        needed = {past.prompt_id for past in self._context}
        needed |= {sink.prompt_id for sink in self._sinks.values()}
        self._prompts = {i: known for i, known in self._prompts.items() if i in needed}
        self._prompts[prompt.id] = prompt
        self._prompt_id = prompt.id
        for stage in self._stages:
            stage.set_prompt(prompt)

    def render(self, samples: np.ndarray) -> Iterator[np.ndarray]:
        """int16 [n], mono, at the model's sample rate -> frames uint8 [frames a block, H, W, 3],
        block by block.
        """
        for block, ahead in blocks_and_what_follows(samples, self._block_samples):
            yield self.render_block(block, ahead, ends=True)

    def render_block(
        self, samples: np.ndarray, ahead: np.ndarray | None = None, *, ends: bool = False
    ) -> np.ndarray:
        """The next block: int16 [samples a block], and what follows it (ends: nothing more than
        that) -> frames uint8 [frames a block, H, W, 3].
        """
        latent = self._denoise(samples, ahead, ends=ends)
        frames = self._decoder.decode(latent)
        self._remember(latent, frames)
        return frames

    def denoise_block(self, samples: np.ndarray, ahead: np.ndarray | None = None) -> Tensor:
        """The next block's clean latent [C, latents, H, W], without decoding it. Not for a memory
        that needs frames.
        """
        latent = self._denoise(samples, ahead, ends=False)
        self._remember(latent, None)
        return latent

    def remembered_blocks(self) -> tuple[int, ...]:
        """The block of each frame that the next block finds in memory, counted from the first."""
        if self._memory is None or self._start is None:
            return ()
        first = self._start.stream_start
        return tuple(block - first for block in self._memory.blocks(self._memory_version()))

    def _denoise(self, samples: np.ndarray, ahead: np.ndarray | None, *, ends: bool) -> Tensor:
        if self._start is None:
            raise RuntimeError("the stream was not started")
        relative = self._block - self._start.stream_start
        heard = self._audio_window.push(samples, ahead, ends=ends)
        beside = self._features.context_samples + self._block_samples
        audio = self._features.block(heard, relative, ahead_samples=len(heard) - beside)
        switch = self._switches_caches()
        conditioning = BlockConditioning(
            epoch=self._start.epoch, block=self._block, audio=audio, prompt_id=self._prompt_id,
            sink_version=self._sink_version(relative), seed=self._start.seed, cache_switch=switch,
            memory_version=self._memory_version(),
        )  # fmt: skip
        latent: Tensor | None = None
        for stage in self._stages:
            latent = stage.process(conditioning, latent)
        assert latent is not None
        if switch:
            self._context_under(self._prompt_id)
        if relative == 0 and self._aas_from_block is not None:
            self._adopt_sink(latent, conditioning.epoch)
        self._context.append(BlockContext(self._block, self._prompt_id, audio, latent))
        self._block += 1
        return latent

    def recover(self) -> None:
        """Begins a new epoch as the graph does after a fault: caches rebuilt from sink and last
        latents.
        """
        if self._start is None:
            raise RuntimeError("the stream was not started")
        version = self._sink_version(self._block - self._start.stream_start)
        used = {past.prompt_id for past in self._context} | {self._prompt_id}
        used.add(self._sinks[version].prompt_id)
        self._begin(
            EpochStart(
                epoch=self._start.epoch + 1,
                first_block=self._block,
                seed=self._start.seed,
                sink=self._sinks[version],
                prompts=tuple(self._prompts[i] for i in sorted(used)),
                context=tuple(self._context),
                stream_start=self._start.stream_start,
            )
        )
        for sink in self._sinks.values():
            for stage in self._stages:
                stage.set_sink(sink)

    def _begin(self, start: EpochStart) -> None:
        self._start = start
        for stage in self._stages:
            stage.start_epoch(start)
        self._versions.begin(start)
        if self._memory is not None:
            self._tell(self._memory.start_epoch(start))
        start_decoding(self._decoder, start)

    def _memory_version(self) -> int:
        version = self._versions.version_for(self._block)
        assert version is not None  # every block before this one is finished
        return version

    def _remember(self, latent: Tensor, frames: np.ndarray | None) -> None:
        """The block just made enters memory."""
        if self._memory is None:
            return
        assert self._start is not None
        epoch, block = self._start.epoch, self._block - 1
        made = self._memory.take(BlockLatent(epoch, block, len(self._stages), latent))
        if self._memory.needs_frames:
            if frames is None:
                raise ValueError("this memory needs frames: use render_block")
            made = self._memory.take_frames(epoch, block, frames)
        self._tell(made)

    def _tell(self, memories: Sequence[Memory]) -> None:
        for memory in memories:
            self._versions.add(memory.version)
            for stage in self._stages:
                stage.set_memory(memory)

    def _switches_caches(self) -> bool:
        """Whether the past is held under another prompt than that of the next block."""
        new = bool(self._context) and self._context[-1].prompt_id != self._prompt_id
        return new and self._cache_switching

    def _context_under(self, prompt_id: str) -> None:
        self._context = deque(
            (replace(past, prompt_id=prompt_id) for past in self._context), self._context.maxlen
        )

    def _sink_version(self, number: int) -> int:
        """Of the block with this number, counted from the stream's start."""
        return int(self._aas_from_block is not None and number >= self._aas_from_block)

    def _adopt_sink(self, latent: Tensor, epoch: int) -> None:
        """Adaptive Attention Sink: the stream's own first latent frame replaces the reference."""
        own = Sink(1, latent[:, :1].clone(), self._prompt_id, epoch)
        self._sinks[1] = own
        for stage in self._stages:
            stage.set_sink(own)
