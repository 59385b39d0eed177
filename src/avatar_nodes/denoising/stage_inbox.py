"""Joins what reaches a stage over several topics, in any order, into work in the order of the
blocks.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from avatar_nodes.block.block import (
    BlockConditioning,
    BlockLatent,
    EpochStart,
    Memory,
    Prompt,
    Sink,
)
from avatar_nodes.denoising.memory_store import KNOWN_MEMORIES
from avatar_nodes.denoising.prompts import KNOWN_LIMIT
from avatar_nodes.errors.refused_error import LeftoverError, RefusedError


@dataclass(frozen=True, eq=False)
class BlockWork:
    """A block whose turn it is, with everything it needs. latent is None where the stage makes
    noise.
    """

    conditioning: BlockConditioning
    latent: Tensor | None


Arrival = EpochStart | Prompt | Sink | Memory | BlockConditioning | BlockLatent
Work = EpochStart | Prompt | Sink | Memory | BlockWork
_Part = TypeVar("_Part", BlockConditioning, BlockLatent)


class StageInbox:
    """Holds what has come for a stage until its turn, and no more than `limit` says.

    A block is handed out when its epoch was started, its predecessor was handed out, and its
    conditioning, latent, prompt, sink and memory are there. Arrivals of a newer epoch wait for its
    start; those of an older one, doubles and malformed ones are refused.

    first_step: index of the stage's first denoising step; 0: it makes noise and takes no latents.
    latent_shape [C, 3, H, W], sink_shape [C, 1 + motion context, H, W], audio_shape [layers, D,
    17], text_dim: what the model takes; memory_shape [tokens, dim] of a remembered frame, None for
    a model without memory.
    limit: blocks (and future epochs' blocks) held at most, per kind.
    """

    def __init__(
        self, *, first_step: int, latent_shape: Sequence[int], sink_shape: Sequence[int],
        audio_shape: Sequence[int], text_dim: int, memory_shape: tuple[int, int] | None = None,
        limit: int = 32,
    ) -> None:  # fmt: skip
        self._first_step = first_step
        self._latent_shape = tuple(latent_shape)
        self._sink_shape = tuple(sink_shape)
        self._audio_shape = tuple(audio_shape)
        self._text_dim = text_dim
        self._memory_shape = memory_shape
        self._limit = limit
        self._ready: deque[EpochStart | Prompt | Sink | Memory] = deque()
        self._prompts: OrderedDict[str, Prompt] = OrderedDict()
        self._held_by_stage: OrderedDict[str, None] = OrderedDict()
        self._sinks: dict[int, Sink] = {}
        self._memories: set[int] = set()
        self._early: deque[Memory] = deque(maxlen=KNOWN_MEMORIES)
        self._conditioning: dict[tuple[int, int], BlockConditioning] = {}
        self._latents: dict[tuple[int, int], BlockLatent] = {}
        self._epoch = 0
        self._next_block = 0

    @property
    def epoch(self) -> int:
        """The epoch that arrivals are joined for; 0: none yet."""
        return self._epoch

    @property
    def depth(self) -> int:
        """Blocks that wait here, complete or not."""
        return len(self._conditioning.keys() | self._latents.keys())

    def offer(self, arrival: Arrival) -> None:
        """Takes an arrival in. Raises RefusedError, and is then as it was."""
        match arrival:
            case EpochStart():
                self._start(arrival)
            case Prompt():
                self._add_prompt(arrival)
            case Sink():
                self._add_sink(arrival)
            case Memory():
                self._add_memory(arrival)
            case BlockConditioning():
                self._check_tensor(arrival.audio, self._audio_shape, "audio")
                self._hold(self._conditioning, arrival)
            case BlockLatent():
                self._add_latent(arrival)

    def take(self) -> Work | None:
        """The next piece of work; None: there is none yet.

        An EpochStart, Prompt, Sink or Memory is for the stage's method of that name, a BlockWork
        for `process`.
        """
        if self._ready:
            ready = self._ready.popleft()
            for prompt in _prompts_of(ready):
                self._stage_has(prompt.id)
            return ready
        work = self._complete()
        if work is None:
            return None
        prompt_ids = self._prompts_for(work.conditioning)
        for prompt_id in prompt_ids:
            if prompt_id not in self._held_by_stage:  # pushed out by others since it was handed out
                self._stage_has(prompt_id)
                return self._prompts[prompt_id]
        for prompt_id in prompt_ids:
            self._stage_has(prompt_id)
            self._prompts.move_to_end(prompt_id)
        key = (self._epoch, self._next_block)
        del self._conditioning[key]
        self._latents.pop(key, None)
        self._next_block += 1
        return work

    def clear(self) -> None:
        """Forgets everything; nothing is taken until an epoch starts."""
        self._ready.clear()
        self._prompts.clear()
        self._held_by_stage.clear()
        self._sinks.clear()
        self._memories.clear()
        self._early.clear()
        self._conditioning.clear()
        self._latents.clear()
        self._epoch = 0

    def _start(self, start: EpochStart) -> None:
        if start.epoch <= self._epoch:
            raise LeftoverError("stale epoch start", f"epoch {start.epoch} after {self._epoch}")
        if start.sink is not None:
            self._check_sink(start.sink)
        for prompt in start.prompts:
            self._check_prompt(prompt)
        self._check_context(start)
        self._epoch, self._next_block = start.epoch, start.first_block
        for held in (self._conditioning, self._latents):
            for key in [key for key in held if key < (start.epoch, start.first_block)]:
                del held[key]
        self._ready = deque(w for old in self._ready for w in _outlives(old))
        self._sinks = {v: sink for v, sink in self._sinks.items() if v == 0}
        self._ready.append(start)
        if start.sink is not None:
            self._sinks[start.sink.version] = start.sink
        for prompt in start.prompts:
            self._know(prompt)
        self._memories.clear()
        early, self._early = self._early, deque(maxlen=self._early.maxlen)
        for memory in early:
            if memory.epoch >= start.epoch:
                self._add_memory(memory)

    def _check_context(self, start: EpochStart) -> None:
        if start.context and start.sink is None:
            raise _refused("epoch start: context without a sink", f"epoch {start.epoch}")
        blocks = [past.block for past in start.context]
        if blocks != list(range(start.first_block - len(blocks), start.first_block)):
            raise _refused("epoch start: context blocks out of order", f"{blocks}")
        named = {prompt.id for prompt in start.prompts} | self._prompts.keys()
        for past in start.context:
            self._check_tensor(past.audio, self._audio_shape, "audio")
            self._check_tensor(past.latent, self._latent_shape, "latent")
            if past.prompt_id not in named:
                raise _refused("epoch start: context names an unknown prompt", past.prompt_id)
        sink_prompt = start.sink.prompt_id if start.sink is not None else ""
        if start.context and sink_prompt and sink_prompt not in named:
            raise _refused("epoch start: sink names an unknown prompt", sink_prompt)

    def _add_prompt(self, prompt: Prompt) -> None:
        self._check_prompt(prompt)
        self._ready = deque(
            w for w in self._ready if not (isinstance(w, Prompt) and w.id == prompt.id)
        )
        self._make_room()
        self._ready.append(prompt)
        self._know(prompt)

    def _add_sink(self, sink: Sink) -> None:
        self._check_sink(sink)
        if sink.epoch and sink.epoch != self._epoch:
            raise LeftoverError(
                "sink of another epoch", f"sink of epoch {sink.epoch}, now {self._epoch}"
            )
        if sink.version and not self._epoch:
            raise LeftoverError("sink before any epoch", f"sink version {sink.version}")
        replaces = sink.version in self._sinks
        if replaces and sink.prompt_id and sink.prompt_id not in self._prompts:
            raise _refused("sink names an unknown prompt", sink.prompt_id)
        self._make_room()
        self._ready.append(sink)
        self._sinks[sink.version] = sink

    def _add_memory(self, memory: Memory) -> None:
        self._check_memory(memory)
        if memory.epoch < self._epoch:
            raise LeftoverError(
                "stale memory", f"memory of epoch {memory.epoch}, now {self._epoch}"
            )
        if memory.epoch > self._epoch:
            self._early.append(memory)
            return
        self._make_room()
        self._ready.append(memory)
        self._memories.add(memory.version)
        self._memories -= set(sorted(self._memories)[:-KNOWN_MEMORIES])

    def _add_latent(self, arrival: BlockLatent) -> None:
        if self._first_step == 0:
            raise _refused("latent for a stage that makes noise", _named(arrival))
        if arrival.step != self._first_step:
            raise _refused("latent of another step", f"step {arrival.step}, not {self._first_step}")
        self._check_tensor(arrival.latent, self._latent_shape, "latent")
        self._hold(self._latents, arrival)

    def _hold(self, held: dict[tuple[int, int], _Part], arrival: _Part) -> None:
        key = (arrival.epoch, arrival.block)
        if arrival.epoch < self._epoch:
            raise LeftoverError("stale epoch", f"{_named(arrival)}, now {self._epoch}")
        if arrival.epoch == self._epoch and arrival.block < self._next_block:
            raise LeftoverError("block already taken", _named(arrival))
        if key in held:
            raise LeftoverError("double block", f"{_named(arrival)} came twice")
        if arrival.epoch == self._epoch and arrival.block >= self._next_block + self._limit:
            raise _refused("block too far ahead", f"{_named(arrival)}, next is {self._next_block}")
        now = arrival.epoch == self._epoch
        alike = [other for other in held if (other[0] == self._epoch) == now]
        if len(alike) >= self._limit:
            if now or max(alike) < key:
                raise _refused("inbox full", _named(arrival))
            del held[max(alike)]  # the next epoch is the nearest
        held[key] = arrival

    def _complete(self) -> BlockWork | None:
        key = (self._epoch, self._next_block)
        conditioning, latent = self._conditioning.get(key), self._latents.get(key)
        if conditioning is None or (latent is None and self._first_step > 0):
            return None
        sink = self._sinks.get(conditioning.sink_version)
        if sink is None or conditioning.prompt_id not in self._prompts:
            return None
        if sink.prompt_id and sink.prompt_id not in self._prompts:
            return None
        memory = conditioning.memory_version
        if memory and memory not in self._memories:
            return None
        return BlockWork(conditioning, latent.latent if latent is not None else None)

    def _know(self, prompt: Prompt) -> None:
        """Keeps a prompt; forgets the longest unused, but none that a block here waits with."""
        self._prompts[prompt.id] = prompt
        self._prompts.move_to_end(prompt.id)
        if len(self._prompts) > KNOWN_LIMIT:
            waiting = {block.prompt_id for block in self._conditioning.values()}
            waiting |= {sink.prompt_id for sink in self._sinks.values()} | {prompt.id}
            unused = [name for name in self._prompts if name not in waiting]
            for name in unused[: len(self._prompts) - KNOWN_LIMIT]:
                del self._prompts[name]

    def _stage_has(self, prompt_id: str) -> None:
        """Follows which prompts the stage keeps: see `PromptStore`."""
        self._held_by_stage[prompt_id] = None
        self._held_by_stage.move_to_end(prompt_id)
        while len(self._held_by_stage) > KNOWN_LIMIT:
            self._held_by_stage.popitem(last=False)

    def _prompts_for(self, block: BlockConditioning) -> list[str]:
        """What the stage needs to know for a block."""
        names = (self._sinks[block.sink_version].prompt_id, block.prompt_id)
        return [name for name in names if name]

    def _make_room(self) -> None:
        if len(self._ready) >= 2 * self._limit:
            raise _refused("inbox full", f"{len(self._ready)} wait already")

    def _check_prompt(self, prompt: Prompt) -> None:
        states = prompt.states
        if not prompt.id:
            raise _refused("prompt without an id", repr(prompt.text))
        if states.ndim != 2 or states.shape[1] != self._text_dim or not len(states):
            raise _refused("prompt states of a wrong shape", f"{list(states.shape)}")
        if not _is_finite_float(states):
            raise _refused("prompt states not finite float", prompt.id)

    def _check_sink(self, sink: Sink) -> None:
        if sink.version < 0:
            raise _refused("sink version below 0", f"{sink.version}")
        self._check_tensor(sink.latent, self._sink_shape, "sink")

    def _check_memory(self, memory: Memory) -> None:
        if self._memory_shape is None:
            raise _refused("memory for a model without memory", f"version {memory.version}")
        if memory.version < 1:
            raise _refused("memory version below 1", f"{memory.version}")
        frame, dim = self._memory_shape
        for tokens in (memory.long, memory.short):
            if tokens.ndim != 2 or tokens.shape[1] != dim or len(tokens) % frame:
                raise _refused("memory of a wrong shape", f"{list(tokens.shape)}")
            if not _is_finite_float(tokens):
                raise _refused("memory not finite float", f"version {memory.version}")

    def _check_tensor(self, tensor: Tensor, shape: tuple[int, ...], kind: str) -> None:
        if tuple(tensor.shape) != shape:
            raise _refused(f"{kind} of a wrong shape", f"{list(tensor.shape)}, not {list(shape)}")
        if not _is_finite_float(tensor):
            raise _refused(f"{kind} not finite float", f"{tensor.dtype}")


def _refused(reason: str, what: str) -> RefusedError:
    return RefusedError(reason, f"{reason}: {what}")


def _named(arrival: BlockConditioning | BlockLatent) -> str:
    return f"block {arrival.block} of epoch {arrival.epoch}"


def _prompts_of(work: EpochStart | Prompt | Sink | Memory) -> tuple[Prompt, ...]:
    match work:
        case EpochStart():
            return work.prompts
        case Prompt():
            return (work,)
        case _:
            return ()


def _outlives(work: EpochStart | Prompt | Sink | Memory) -> list[Prompt | Sink]:
    """What of an untaken piece of work still counts when a new epoch begins."""
    match work:
        case EpochStart():
            sinks = [] if work.sink is None else _outlives(work.sink)
            return [*work.prompts, *sinks]
        case Sink():
            return [work] if work.version == 0 else []
        case Memory():
            return []
        case _:
            return [work]


def _is_finite_float(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isfinite(tensor).all())
