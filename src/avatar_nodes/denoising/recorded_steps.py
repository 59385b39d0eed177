"""The forward passes of a stage whose window is full, recorded once and replayed.

From then on the caches' slots are taken in turn, so the pass over a block reads and writes the same
buffers as that over the block a round before: there is one recording for each step and each slot
that the oldest block can have. The new block's keys and values go into that slot within the
recording.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from avatar_nodes.denoising.past_window import Conditions
from avatar_nodes.denoising.recorded_call import Call, CallRecorder
from avatar_nodes.denoising.step_inputs import StepInputs, memory_tokens
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.kv import BlockKV
from avatar_nodes.model.rope import RopeTable

_LOG = logging.getLogger(__name__)


class _Key(NamedTuple):
    step: int
    memory: int
    """Tokens that are remembered."""
    slots: tuple[int, ...]
    """Whose the past blocks' buffers are; the recorded call holds them, so they stay theirs."""


class RecordedSteps:
    """Gives the bits that `WanS2V.forward_block` gives.

    A pass that comes for the first time is made plainly, the second time it is recorded. If that
    fails, there is one warning, and all passes are made plainly.
    """

    def __init__(self, model: WanS2V, timesteps: Sequence[Tensor], record: CallRecorder) -> None:
        """timesteps: of the stage's steps, [1] each, 0..1000. record: see `CallRecorder`."""
        self._model = model
        self._timesteps = tuple(timesteps)
        self._record: CallRecorder | None = record
        self._inputs: StepInputs | None = None
        self._calls: dict[_Key, Call] = {}
        self._replays: dict[_Key, Call] = {}
        self.failure = ""
        """Why passes are no longer recorded; empty: they are."""

    def velocity(
        self, step: int, x: Tensor, conditions: Conditions, past: tuple[BlockKV, ...],
        room: BlockKV | None,
    ) -> Tensor:  # fmt: skip
        """The velocity [C, 3, H, W] of the block x at the step with this index; it holds until the
        next call. The block's keys and values go into `room` (None: nowhere).
        """
        key_rope = conditions.key_rope(self._model, step, x, len(past))
        inputs = self._inputs_for(x, conditions, key_rope)
        inputs.load(x, conditions, key_rope)
        key = _Key(step, memory_tokens(conditions.memory), tuple(map(id, past)))
        if key in self._replays:
            self._replays[key]()
        elif key not in self._calls:
            self._calls[key] = self._call(inputs, key, past, room)
            self._calls[key]()
        else:
            self._recorded(key)()
        return inputs.velocity

    def release(self) -> None:
        """Lets go of prompt, sink, sound and memory, not of the recordings."""
        if self._inputs is not None:
            self._inputs.release()

    def _inputs_for(self, x: Tensor, conditions: Conditions, key_rope: RopeTable) -> StepInputs:
        """The buffers; for a memory of another length there are others."""
        if self._inputs is None:
            self._inputs = StepInputs(x, conditions, key_rope)
        memory, inputs = conditions.memory, self._inputs
        if memory is not None and memory_tokens(memory) != memory_tokens(inputs.memory):
            for calls in (self._calls, self._replays):
                for key in [key for key in calls if key.memory]:
                    del calls[key]
            inputs.make_room(memory)
        return inputs

    def _call(
        self, inputs: StepInputs, key: _Key, past: tuple[BlockKV, ...], room: BlockKV | None
    ) -> Call:
        t, memory = self._timesteps[key.step], inputs.memory if key.memory else None

        def forward() -> None:
            velocity, _ = self._model.forward_block(
                inputs.x, t, inputs.sound, inputs.text, inputs.sink, past,
                key_rope=inputs.key_rope, memory=memory, room=room,
            )  # fmt: skip
            inputs.velocity.copy_(velocity[0])

        return forward

    def _recorded(self, key: _Key) -> Call:
        """The replay of a call; the call itself if it cannot be recorded."""
        call = self._calls[key]
        if self._record is None:
            return call
        try:
            self._replays[key] = self._record(call)
        except RuntimeError as error:  # torch's for whatever CUDA refuses, and for lack of memory
            self._record = None
            self._replays.clear()
            self.failure = str(error).split("\n")[0]
            _LOG.warning("cuda_graphs: recording failed, going on without: %s", self.failure)
            return call
        return self._replays[key]
