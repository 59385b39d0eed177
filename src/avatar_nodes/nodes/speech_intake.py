"""The conductor's side of the speech stream: what has come of it, what is wanted of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

from avatar_msgs.msg import AudioChunk, AudioDemand
from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.conducting.block_ledger import BlockLedger, IssuedBlock
from avatar_nodes.conducting.block_slicer import BlockSlicer, BlockSound
from avatar_nodes.conducting.settings import ConductorSettings
from avatar_nodes.nodes.base.lifecycle_node import AvatarNode
from avatar_nodes.wire import topics
from avatar_nodes.wire.audio import audio_from_msg

_DEMAND_PERIOD_S = 0.1
_PATIENCE_S = 0.3
_REMEMBERED_STREAMS = 8
_BUFFERED_BLOCKS = {"realtime": 3, "free": 8}


class SpeechIntake:
    """`speech/audio` in, `speech/demand` out; cuts the sound into blocks.

    timing: of the model's blocks.
    """

    def __init__(
        self, node: AvatarNode[ConductorSettings], timing: BlockTiming, *, context_samples: int,
        lookahead_samples: int, endless: bool,
    ) -> None:  # fmt: skip
        self.sample_rate = timing.sample_rate
        self._realtime = node.settings.pace == "realtime"
        self._keeps_alive = node.settings.idle == "keep_alive"
        block_samples = timing.samples_per_block
        self._context_samples = context_samples
        self._slicer = BlockSlicer(
            block_samples=block_samples,
            context_samples=context_samples,
            lookahead_samples=lookahead_samples,
            capacity=_BUFFERED_BLOCKS[node.settings.pace] * block_samples + lookahead_samples,
            endless=endless,
        )
        self._out = node.publisher(topics.SPEECH_DEMAND)
        self._demanded = (0.0, ("", -1, -1))
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

    def push(self, msg: AudioChunk) -> None:
        """Take a chunk. Raises RefusedError, RefusedError."""
        samples = audio_from_msg(msg, sample_rate=self.sample_rate, channels=1)
        self.take(msg.stream, msg.first_sample, samples, end_of_stream=msg.end_of_stream)

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
        """Tell the source what is wanted, when that has changed."""
        told_at, told = self._demanded
        wanted = (self._slicer.stream, self._slicer.next_sample, self._slicer.limit_sample)
        if wanted == told or now - told_at < _DEMAND_PERIOD_S:
            return
        self._demanded = (now, wanted)
        stream, next_sample, limit_sample = wanted
        self._out.publish(
            AudioDemand(stream=stream, next_sample=next_sample, limit_sample=limit_sample)
        )
