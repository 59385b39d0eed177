"""Collects the speech stream, hands it out block by block, and says what is wanted of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

import numpy as np

from avatar_nodes.block.speech_level import SpeechLevel
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.block_slicer import BlockSlicer, BlockSound
from avatar_nodes.conducting.effects import DemandSound, Emit

_DEMAND_PERIOD_S, _REPEAT_S = 0.1, 1.0
_PATIENCE_S = 0.3
_REMEMBERED_STREAMS = 8
_REALTIME_BLOCKS, _FREE_BLOCKS = 3, 8


class SpeechIntake:
    """Emits DemandSound.

    Args:
        timing: of the model's blocks.
        context_samples, lookahead_samples, speech_level, endless: see `BlockSlicer`.
        realtime: blocks are cut when they are due; else as soon as their sound is there.
        keeps_alive: in real time and without sound, blocks of silence go on.
    """

    def __init__(
        self, timing: BlockTiming, *, context_samples: int, lookahead_samples: int, endless: bool,
        realtime: bool, keeps_alive: bool, emit: Emit, speech_level: SpeechLevel | None = None,
    ) -> None:  # fmt: skip
        self.sample_rate = timing.sample_rate
        self._realtime = realtime
        self._keeps_alive = keeps_alive
        self._context_samples = context_samples
        self._emit = emit
        buffered = _REALTIME_BLOCKS if realtime else _FREE_BLOCKS
        self._slicer = BlockSlicer(
            block_samples=timing.samples_per_block,
            context_samples=context_samples,
            lookahead_samples=lookahead_samples,
            capacity=buffered * timing.samples_per_block + lookahead_samples,
            endless=endless,
            speech_level=speech_level,
        )
        self._demanded = (-math.inf, DemandSound("", -1, -1))
        self._wanted = (-1, 0.0)
        self._dropped: deque[str] = deque(maxlen=_REMEMBERED_STREAMS)
        self.speaking = False
        """Sound of the stream is in the newest block."""

    @property
    def stream(self) -> str:
        """Id of the stream that is followed."""
        return self._slicer.stream

    @property
    def block_ready(self) -> bool:
        """A block of sound, or the stream's end, is there."""
        return self._slicer.block_ready

    @property
    def over(self) -> bool:
        """All that the stream had is in blocks."""
        return self._slicer.ended and not self._slicer.available

    @property
    def next_sample(self) -> int:
        """Index in the stream of the first sample that has not come."""
        return self._slicer.next_sample

    @property
    def room(self) -> int:
        """Samples that may come now."""
        return self._slicer.limit_sample - self._slicer.next_sample

    @property
    def received_s(self) -> float:
        """Sound of the stream that has come [s]."""
        return self._slicer.next_sample / self.sample_rate

    @property
    def elapsed_s(self) -> float:
        """Sound of the stream that is in blocks [s]."""
        return (self._slicer.next_sample - self._slicer.available) / self.sample_rate

    def was_dropped(self, stream: str) -> bool:
        """Whether this stream is one that is not wanted any more."""
        return stream in self._dropped

    def take(
        self, stream: str, first_sample: int, samples: np.ndarray, *, end_of_stream: bool
    ) -> None:
        """Take samples, int16 [n]. Raises RefusedError."""
        self._slicer.push(
            stream=stream, first_sample=first_sample, samples=samples, end_of_stream=end_of_stream
        )

    def next_block(self, block: int, now: float, *, waited_enough: bool) -> BlockSound | None:
        """The sound of `block`; None: it is too early to say. `waited_enough`: it is time."""
        if not self._realtime:
            return self._slicer.take() if self._slicer.block_ready else None
        if not waited_enough:
            return None
        if self._wanted[0] != block:
            self._wanted = (block, now)
        patient = self.speaking and now - self._wanted[1] < _PATIENCE_S
        if self._slicer.block_ready:
            return self._slicer.take()
        if patient or not self._keeps_alive:
            return None
        return self._slicer.take_idle(at_once=self.speaking)

    def silence(self) -> BlockSound:
        """A silent block, whatever sound waits."""
        return self._slicer.take_silence()

    def drop(self) -> None:
        """Forget the stream and what waits of it; what still comes of it is refused."""
        if self._slicer.stream:
            self._dropped.append(self._slicer.stream)
        self._slicer.drop()
        self.speaking = False

    def hold(self, unheard: Iterable[IssuedBlock]) -> None:
        """The stream pauses; it is to go on with the first sound of it in `unheard`, blocks that
        were issued and not heard to their end, oldest first."""
        for issued in unheard:
            sounds = issued.next_sample > issued.first_sample
            if sounds and issued.stream == self._slicer.stream:
                self._slicer.rewind(issued.stream, issued.first_sample)
                break
        self.speaking = False

    def restore(self, newest: IssuedBlock, ledger: BlockLedger, first_block: int) -> None:
        """Go on in the sound where an earlier conductor was, which issued `newest`."""
        past: np.ndarray = ledger.past_sound(first_block, self._context_samples)
        self._slicer.restore(stream=newest.stream, next_sample=newest.next_sample, past=past)
        self.speaking = newest.next_sample > newest.first_sample

    def demand(self, now: float) -> None:
        """Tell the source what is wanted, when that has changed; and again while nothing comes: the
        source may not have heard it, or have heard a stranger's since."""
        told_at, told = self._demanded
        slicer = self._slicer
        wanted = DemandSound(slicer.stream, slicer.next_sample, slicer.limit_sample)
        period_s = _DEMAND_PERIOD_S if wanted != told else _REPEAT_S
        if now - told_at >= period_s:
            self._demanded = (now, wanted)
            self._emit(wanted)
