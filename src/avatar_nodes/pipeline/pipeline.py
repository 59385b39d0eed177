"""All stages in one process, one block after another (Live Avatar, Algorithm 3).

It runs the very `Stage`, decoder and features that the nodes run, so it is the oracle the graph is
held to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from avatar_nodes.block.audio_features import AudioFeatures
from avatar_nodes.block.audio_window import AudioWindow, blocks_and_what_follows
from avatar_nodes.block.block import (
    BlockConditioning,
    BlockLatent,
    EpochStart,
    Memory,
    Prompt,
    Sink,
    own_sink,
)
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.memory_versions import MemoryVersions
from avatar_nodes.conducting.sink_versions import SinkVersions
from avatar_nodes.conducting.stream_resume import resume
from avatar_nodes.decoding.decoder import StreamingDecoder, reference_sink, start_decoding
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
        self._cache_switching = cache_switching
        self._memory = memory
        self._memories = MemoryVersions(lag=memory.lag if memory else 0)
        self._block_samples = features.timing.samples_per_block
        self._audio_window = AudioWindow(
            self._block_samples, features.context_samples, features.lookahead_samples,
            speech_level=features.speech_level(),
        )  # fmt: skip
        self._ledger = BlockLedger(window=past_blocks)
        self._sinks = SinkVersions(aas_from_block=aas_from_block)
        self._start: EpochStart | None = None
        self._prompts: dict[str, Prompt] = {}
        self._prompt_id = ""
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
        self._prompts, self._prompt_id = {prompt.id: prompt}, prompt.id
        self._sinks.restart(reference_sink(self._decoder, reference, prompt_id=prompt.id))
        self._ledger.restart()
        self._audio_window.reset()
        if self._memory is not None:
            self._memory.reset()
        self._block = first_block
        self._begin(self._sinks.known, epoch=1, seed=seed, stream_start=first_block)

    def set_prompt(self, prompt: Prompt) -> None:
        """The prompt from the next block on."""
        needed = {past.prompt_id for past in self._ledger.context(self._block)}
        needed |= {sink.prompt_id for sink in self._sinks.known.values()}
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
        before = self._ledger.issued(self._block - 1)
        changed = before is not None and before.prompt_id != self._prompt_id
        issued = IssuedBlock(
            block=self._block, prompt_id=self._prompt_id, features=audio, samples=samples,
            stream="", first_sample=0, next_sample=0, last=False,
            cache_switch=changed and self._cache_switching,
        )  # fmt: skip
        conditioning = BlockConditioning(
            epoch=self._start.epoch, block=self._block, audio=audio, prompt_id=self._prompt_id,
            sink_version=_there(self._sinks.version_for(self._block)), seed=self._start.seed,
            cache_switch=issued.cache_switch, memory_version=self._memory_version(),
        )  # fmt: skip
        latent: Tensor | None = None
        for stage in self._stages:
            latent = stage.process(conditioning, latent)
        assert latent is not None
        if relative == 0:
            reference, epoch = self._start.sink, self._start.epoch
            self._adopt_sink(own_sink(latent, reference, prompt_id=self._prompt_id, epoch=epoch))
        self._ledger.record(issued)
        self._ledger.clean(self._block, latent)
        self._block += 1
        self._ledger.forget(self._block)
        return latent

    def recover(self) -> None:
        """Begins a new epoch as the graph does after a fault: caches rebuilt from sink and last
        latents.
        """
        if self._start is None:
            raise RuntimeError("the stream was not started")
        start, version = self._start, _there(self._sinks.version_for(self._block))
        self._begin(
            {version: self._sinks.known[version]},
            epoch=start.epoch + 1,
            seed=start.seed,
            stream_start=start.stream_start,
        )
        for sink in self._sinks.known.values():
            for stage in self._stages:
                stage.set_sink(sink)

    def _begin(
        self, sinks: Mapping[int, Sink], *, epoch: int, seed: int, stream_start: int
    ) -> None:
        start = self._start = resume(
            epoch=epoch, first_block=self._block, stream_start=stream_start, seed=seed,
            ledger=self._ledger, sinks=sinks, prompts=self._prompts,
            prompt_id=self._prompt_id,
        )  # fmt: skip
        for stage in self._stages:
            stage.start_epoch(start)
        self._sinks.begin(start)
        self._memories.begin(start)
        if self._memory is not None:
            self._tell(self._memory.start_epoch(start))
        start_decoding(self._decoder, start)

    def _memory_version(self) -> int:
        return _there(self._memories.version_for(self._block))

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
            self._memories.add(memory.version)
            for stage in self._stages:
                stage.set_memory(memory)

    def _adopt_sink(self, own: Sink) -> None:
        """Adaptive Attention Sink: the stream's own first latent frame replaces the reference."""
        if self._sinks.wants(own):
            self._sinks.add(own)
            for stage in self._stages:
                stage.set_sink(own)


def _there(version: int | None) -> int:
    """A version that no block has to wait for: every block before it is finished."""
    assert version is not None
    return version
