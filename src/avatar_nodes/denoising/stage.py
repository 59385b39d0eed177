"""One denoising stage: one or several consecutive steps of T, each with its own view of the past.

This is what a denoiser node runs and what `Pipeline` runs in a loop, so both compute the same bits
(Live Avatar, Algorithms 3 and 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Literal, ParamSpec, TypeVar, get_args

import torch
from torch import Tensor

from avatar_nodes.block.block import (
    BlockConditioning,
    EpochStart,
    Memory,
    Prompt,
    Sink,
)
from avatar_nodes.block.noise import block_noise
from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.memory_store import MemoryStore
from avatar_nodes.denoising.past_window import Conditions, PastWindow
from avatar_nodes.denoising.prompts import PromptStore
from avatar_nodes.denoising.recorded_call import CallRecorder
from avatar_nodes.denoising.recorded_steps import RecordedSteps
from avatar_nodes.denoising.seen_places import SeenPlaces
from avatar_nodes.denoising.sink import SinkStore
from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError
from avatar_nodes.model.attention_kernels import fastest_attention
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.host_copies import HostCopies
from avatar_nodes.model.kv import BlockKV, MemoryKV

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
KVCacheKind = Literal["same_noise", "clean"]
"""What a step sees of past blocks: keys and values at its own noise level (timestep-forcing), or
those of the finished block, which take a pass of their own (Live Avatar, Table 6)."""


class StageError(ConfigurationError):
    """Steps, or a kind of cache, that no stage can have."""


@dataclass
class _Epoch:
    """The epoch that a stage computes."""

    start: EpochStart
    next_block: int


def _computing(
    method: Callable[Concatenate[Stage, Arguments], Result],
) -> Callable[Concatenate[Stage, Arguments], Result]:
    """Without gradients, and with the fastest attention of the stage's device."""

    @wraps(method)
    def computing(self: Stage, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with torch.inference_mode(), fastest_attention(self._device):
            return method(self, *args, **kwargs)

    return computing


class Stage:
    """Steps `steps` (0 = noisiest) of `schedule`. The model's device and dtype are the stage's.

    model: as `WanS2V.serving` left it. past_blocks: length of the caches (default: the model's).
    rolling_rope: False leaves the sink behind at its fixed position. nearest_sink: see
    `SeenPlaces`; 0: no distance is drawn. motion_tokens: sinks come with motion context. kv_cache:
    `clean` only for the stage that takes every step, for it needs the finished block.
    switch_max_sigma: a switch of the caches reaches the steps up to this noise level; noisier ones
    see little of the past's pictures but which prompt they were under. call_recorder: what records
    the forward passes of a full window (None: nothing does).
    """

    def __init__(
        self,
        model: WanS2V,
        schedule: Schedule,
        steps: Sequence[int],
        *,
        past_blocks: int | None = None,
        rolling_rope: bool = True,
        nearest_sink: int = 0,
        motion_tokens: bool = False,
        kv_cache: KVCacheKind = "same_noise",
        switch_max_sigma: float = 1.0,
        call_recorder: CallRecorder | None = None,
    ) -> None:
        steps = tuple(steps)
        first = steps[0] if steps else -1
        if steps != tuple(range(first, first + len(steps))) or not first >= 0:
            raise StageError(f"steps must be consecutive and not empty, got {list(steps)}")
        if steps[-1] >= schedule.num_steps:
            raise StageError(f"step {steps[-1]} is not in a schedule of {schedule.num_steps} steps")
        limit = model.config.past_blocks
        past_blocks = limit if past_blocks is None else past_blocks
        if not 0 <= past_blocks <= limit:
            raise StageError(f"past_blocks must be 0..{limit}, got {past_blocks}")
        if kv_cache not in get_args(KVCacheKind):
            wanted = ", ".join(get_args(KVCacheKind))
            raise StageError(f"kv_cache must be one of {wanted}, got {kv_cache!r}")
        if kv_cache == "clean" and len(steps) != schedule.num_steps:
            raise StageError(
                f"kv_cache clean needs all {schedule.num_steps} steps in one stage,"
                f" got {list(steps)}"
            )
        farthest = model.config.sink_position
        if nearest_sink > farthest:
            raise StageError(f"nearest_sink must be 0..{farthest}, got {nearest_sink}")
        if motion_tokens and not model.config.enable_framepack:
            raise StageError("motion_tokens: the model has no frame packer")
        self.steps = steps
        self._places = SeenPlaces(
            farthest=farthest,
            latents_per_block=model.config.timing.latents_per_block,
            nearest=nearest_sink or None,
            rolling=rolling_rope,
        )
        self._model = model
        self._schedule = schedule
        self._device = next(model.parameters()).device
        self._prompts = PromptStore(model, self._device)
        self._sinks = SinkStore(model, self._prompts, self._device)
        self._memories: MemoryStore | None = None
        if model.config.memory is not None:
            self._memories = MemoryStore(model, self._device)
        self._clean = kv_cache == "clean"
        timesteps = [schedule.timestep(step) for step in steps]
        levels = [0.0] if self._clean else timesteps
        self._timesteps = [torch.tensor([t], device=self._device) for t in timesteps]
        self._recorded: RecordedSteps | None = None
        if call_recorder is not None:
            self._recorded = RecordedSteps(model, self._timesteps, call_recorder)
        self._copies = HostCopies(self._device)
        kept = [n for n, t in enumerate(levels) if t > 1000 * switch_max_sigma]
        self._past = PastWindow(model, levels, past_blocks, kept=kept)
        self._spare: PastWindow | None = None
        self._epoch: _Epoch | None = None
        """None: none was started, or it is lost."""
        self._expected: tuple[str, int] | None = None
        self._ahead: str | None = None
        self.latent_shape = model.config.block_shape
        self.sink_shape = model.config.sink_shape(motion=motion_tokens)
        self.audio_shape = model.config.audio_shape
        self.memory_shape = model.config.memory_shape

    @property
    def makes_noise(self) -> bool:
        """True for the stage that begins with the first step: it takes no latent."""
        return self.steps[0] == 0

    @property
    def records(self) -> bool:
        """True if the passes over a full window are recorded."""
        return self._recorded is not None

    def set_prompt(self, prompt: Prompt) -> None:
        """Makes a prompt known; its keys and values are computed when a block first uses it."""
        if self._prompts.add(prompt):
            self._ahead = None

    def set_sink(self, sink: Sink) -> None:
        """Makes a version of the sink known to the blocks that carry it."""
        self._sinks.add(sink)

    def expect_switch(self, prompt_id: str, block: int) -> None:
        """Block `block` will probably switch the caches to this prompt: see `prepare`."""
        self._expected = (prompt_id, block)

    def forget(self) -> None:
        """As it was before the first epoch, but for what its caches have reserved."""
        self._epoch = None
        self._expected = self._ahead = None
        for window in (self._past, self._spare):
            if window is not None:
                window.clear()
        self._prompts = PromptStore(self._model, self._device)
        self._sinks = SinkStore(self._model, self._prompts, self._device)
        if self._recorded is not None:
            self._recorded.release()

    @_computing
    def prepare(self) -> bool:
        """Rebuilds the caches in advance if the next block is expected to switch them; call it when
        there is nothing else to do. True: it was done.

        The block finds the bits that it would have computed itself. The present caches stay until
        then, so from the first time on there is memory for both.
        """
        if self._expected is None or self._epoch is None or not len(self._past):
            return False
        prompt_id, block = self._expected
        if block != self._epoch.next_block or prompt_id not in self._prompts:
            return False
        self._expected = self._ahead = None
        if self._spare is None:
            self._spare = self._past.empty()
        self._spare.become_switched(self._past, self._prompts.kv(prompt_id))
        self._ahead = prompt_id
        return True

    @_computing
    def set_memory(self, memory: Memory) -> None:
        """Makes a version of visual memory known to the blocks that carry it.

        Raises RefusedError if the model has no compressor: it never learned to remember.
        """
        if self._memories is None:
            raise RefusedError("memory", "memory for a model without visual memory")
        self._memories.add(memory)

    @_computing
    def start_epoch(self, start: EpochStart) -> None:
        """Forgets the past and rebuilds it from the sink and the context's clean latents.

        A context latent is brought to each step's level with the very noise it was made from, so
        the rebuilt past is close to the one that was lost (a clean cache takes it as it is).
        Raises RefusedError if something is not known.
        """
        self._epoch = None
        self._expected = self._ahead = None
        for prompt in start.prompts:
            self._prompts.add(prompt)
        self._sinks.keep_reference_only()
        if self._memories is not None:
            self._memories.clear()
        if start.sink is not None:
            self._sinks.add(start.sink)
        self._past.clear()
        for past in start.context:
            if start.sink is None:
                raise RefusedError("sink", f"epoch {start.epoch}: a context needs its sink")
            number, version = past.block - start.stream_start, start.sink.version
            conditions = self._conditions(
                past.audio, past.prompt_id, version, 0, number, start.seed
            )
            clean = self._checked(past.latent, "context")
            self._past.take(conditions, self._inputs_of(clean, start.seed, number))
        self._epoch = _Epoch(start, start.first_block)

    @_computing
    def process(self, conditioning: BlockConditioning, latent: Tensor | None = None) -> Tensor:
        """The block after this stage's steps: float32 [C, latents, H, W] on the CPU.

        latent: what the stage before made; None for the stage that makes the noise. Raises
        RefusedError when the block is not the next one of the epoch or names unknown things; the
        stage is then as it was. After any other failure the epoch is lost and another must be
        started.
        """
        epoch = self._epoch_of(conditioning)
        number = conditioning.block - epoch.start.stream_start
        if self.makes_noise:
            x = block_noise(conditioning.seed, number, self.latent_shape)
        elif latent is None:
            raise RefusedError(
                "latent", f"block {conditioning.block}: step {self.steps[0]} needs a latent"
            )
        else:
            x = self._checked(latent, f"block {conditioning.block}")
        conditions = self._conditions(
            conditioning.audio, conditioning.prompt_id, conditioning.sink_version,
            conditioning.memory_version, number, conditioning.seed,
        )  # fmt: skip
        self._epoch = None  # lost, unless the block is made: the caches hold a part of it
        ahead, self._ahead = self._ahead, None
        if conditioning.cache_switch and self._spare and ahead == conditioning.prompt_id:
            self._past, self._spare = self._spare, self._past
        elif conditioning.cache_switch:
            self._past.switch(conditions.text)
        if self._spare:
            self._spare.clear()
        x = self._denoise(self._copies.to_device(x), conditions)
        epoch.next_block += 1
        self._epoch = epoch
        return self._copies.to_host(x)

    def _denoise(self, x: Tensor, conditions: Conditions) -> Tensor:
        """The block [C, latents, H, W] after the stage's steps; it joins the past."""
        inputs: list[Tensor] = []
        for index, step in enumerate(self.steps):
            velocity = self._velocity(index, x, conditions)
            inputs.append(x)
            x = self._schedule.advance(step, x, velocity)
        if self._clean:  # the extra pass over the finished block
            self._past.take(conditions, [x])
        else:
            self._past.join(conditions, inputs)
        return x

    def _velocity(self, index: int, x: Tensor, conditions: Conditions) -> Tensor:
        """The block's velocity [C, F, H, W] at the step with this index of the stage; its
        keys and values are put into the past, unless that is to hold those of the finished block.
        """
        level = 0 if self._clean else index
        past, room = self._past.seen_from(level), None if self._clean else self._past.room(level)
        kv: BlockKV | None
        if self._recorded is not None and self._past.is_full:
            velocity, kv = self._recorded.velocity(index, x, conditions, past, room), room
        else:
            batch, kv = self._model.forward_block(
                x[None], self._timesteps[index], conditions.sound, conditions.text,
                conditions.sink, past,
                key_rope=conditions.key_rope(self._model, index, x, len(past)),
                memory=conditions.memory, room=room,
            )  # fmt: skip
            velocity = batch[0]
        if kv is not None and not self._clean:
            self._past.put(level, kv)
        return velocity

    def _epoch_of(self, conditioning: BlockConditioning) -> _Epoch:
        """The epoch whose next block this is. Raises RefusedError: it is not, or is not whole."""
        epoch, block = self._epoch, conditioning.block
        if epoch is None or epoch.start.epoch != conditioning.epoch:
            asked = conditioning.epoch
            raise LeftoverError(
                "epoch", f"block {block}: epoch {asked} was not started, or is lost"
            )
        if block != epoch.next_block:
            raise RefusedError("order", f"block {block}: expected block {epoch.next_block}")
        if conditioning.prompt_id not in self._prompts:
            raise RefusedError(
                "prompt", f"block {block}: prompt {conditioning.prompt_id!r} is not known"
            )
        if conditioning.sink_version not in self._sinks:
            raise RefusedError(
                "sink", f"block {block}: sink version {conditioning.sink_version} is not known"
            )
        memory = conditioning.memory_version
        if memory and (self._memories is None or memory not in self._memories):
            raise RefusedError("memory", f"block {block}: memory version {memory} is not known")
        if tuple(conditioning.audio.shape) != self.audio_shape:
            found, wanted = list(conditioning.audio.shape), list(self.audio_shape)
            raise RefusedError("shape", f"block {block}: audio is {found}, expected {wanted}")
        return epoch

    def _checked(self, latent: Tensor, owner: str) -> Tensor:
        if tuple(latent.shape) != self.latent_shape:
            found, wanted = list(latent.shape), list(self.latent_shape)
            raise RefusedError("shape", f"{owner}: latent is {found}, expected {wanted}")
        return latent.float()

    def _conditions(
        self, audio: Tensor, prompt_id: str, sink_version: int, memory_version: int, number: int,
        seed: int,
    ) -> Conditions:  # fmt: skip
        """number: the block's, counted from the stream's start."""
        try:
            text = self._prompts.kv(prompt_id)
            sink = self._sinks.kv(sink_version, prompt_id)
        except KeyError as error:
            raise RefusedError("prompt", f"prompt or sink {error} is not known") from error
        sound = self._model.encode_audio(self._copies.to_device(audio)[None])
        memory: MemoryKV | None = None
        if memory_version and self._memories is not None:
            memory = self._memories.kv(memory_version)
        return Conditions(
            sound,
            text,
            sink,
            memory,
            tuple(self._places.at(seed, number, step) for step in self.steps),
        )

    def _inputs_of(self, clean: Tensor, seed: int, number: int) -> list[Tensor]:
        """What this stage's levels see of a finished block: with a same-noise past the clean latent
        at each step's noise level, with the very noise that the block was made from.
        """
        if self._clean:
            return [clean]
        noise = block_noise(seed, number, self.latent_shape)
        return [self._schedule.noised(step, clean, noise) for step in self.steps]
