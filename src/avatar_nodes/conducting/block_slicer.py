"""Cuts a sound stream into the blocks of the avatar, and goes on with silence where there is
none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avatar_nodes.block.audio_window import AudioWindow
from avatar_nodes.block.speech_level import SpeechLevel
from avatar_nodes.errors.refused_error import RefusedError


@dataclass(frozen=True)
class BlockSound:
    """The sound of one block."""

    first_sample: int
    """Index in the source's stream of the block's first sample that came from there."""
    next_sample: int
    """Index in the source's stream at which the block after this one goes on."""
    samples: np.ndarray
    """int16 [n], what is to be heard; n < block_samples only in the last block of a stream that
    ends."""
    window: np.ndarray
    """float32 [context_samples + block_samples + ahead_samples] of an `AudioWindow`, what the audio
    features are made of; zeros for sound that is not there."""
    ahead_samples: int
    """Samples of the window after the block: the look-ahead; where the stream is known to end, no
    more than its last block and one of silence."""
    last: bool
    """True: the stream ended inside this block or at its end."""
    idle: bool
    """True: no sample of the source is in it."""


class BlockSlicer:
    """Collects the samples of one source (int16 mono) and hands them out block by block.

    What was handed out, silence included, is the past from which the next block's context is
    taken, so the features of the issued blocks are those of one continuous sound.

    Args:
        block_samples: samples of a block (7680 for 0.48 s at 16 kHz).
        context_samples: samples before a block that its features need.
        lookahead_samples: samples after it that they need; a block waits for them, but for those of
            a stream that has ended.
        capacity: samples accepted beyond the block in the making.
        endless: the stream of blocks goes on when the source's has ended; no block is the last.
        speech_level: see `AudioWindow`.
    """

    def __init__(
        self, *, block_samples: int, context_samples: int, capacity: int,
        lookahead_samples: int = 0, endless: bool = False, speech_level: SpeechLevel | None = None,
    ) -> None:  # fmt: skip
        if capacity < block_samples + lookahead_samples:
            raise ValueError(
                f"capacity {capacity}: expected at least a block and its look-ahead"
                f" ({block_samples + lookahead_samples})"
            )
        self._lookahead_samples = lookahead_samples
        self._block_samples = block_samples
        self._context_samples = context_samples
        self._capacity = capacity
        self._endless = endless
        self._window = AudioWindow(
            block_samples, context_samples, lookahead_samples, speech_level=speech_level
        )
        self._pending = np.zeros(0, np.int16)
        self._stream = ""
        self._next = 0
        self._ended = False

    @property
    def stream(self) -> str:
        """Id of the stream that is being followed; empty before its first samples."""
        return self._stream

    @property
    def next_sample(self) -> int:
        """Index in the source's stream of the first sample not received yet."""
        return self._next

    @property
    def limit_sample(self) -> int:
        """Index of the first sample for which there is no room yet."""
        return self._next - len(self._pending) + self._capacity

    @property
    def available(self) -> int:
        """Samples that wait."""
        return len(self._pending)

    @property
    def block_ready(self) -> bool:
        """True when the next block can be filled with sound, and its look-ahead, or the stream's
        end is in them."""
        ending = self._ended and (self.available > 0 or not self._endless)
        return self.available >= self._block_samples + self._lookahead_samples or ending

    @property
    def ended(self) -> bool:
        """True once the source has said that nothing follows what was received."""
        return self._ended

    def restore(self, *, stream: str, next_sample: int, past: np.ndarray) -> None:
        """Go on where another slicer was: `past` are the samples (int16) last handed out."""
        self._stream, self._next, self._ended = stream, next_sample, False
        self._pending = np.zeros(0, np.int16)
        self._window.restore(past)

    def push(
        self, *, stream: str, first_sample: int, samples: np.ndarray, end_of_stream: bool = False
    ) -> int:
        """Take samples (int16 [n]) and return how many were new; those had before are skipped.

        Another stream may follow one that has ended: its count is taken as it comes.

        Raises:
            RefusedError: `stream` (another one, while this goes on), `gap` (samples before these
                are missing) or `overrun` (beyond the limit).
        """
        expected = self._next
        if stream != self._stream:
            if self._stream and not self._ended:
                raise RefusedError("stream", "samples of another stream, while this one goes on")
            expected = first_sample if self._stream else self._next
        if first_sample > expected:
            raise RefusedError("gap", f"samples {expected} to {first_sample - 1} are missing")
        if stream != self._stream:
            self._stream, self._next, self._ended = stream, expected, False
        fresh = samples[self._next - first_sample :]
        if self._next + len(fresh) > self.limit_sample:
            raise RefusedError(
                "overrun", f"sample {self._next + len(fresh) - 1} is beyond the demand"
            )
        if len(fresh):
            self._ended = False
            self._pending = np.concatenate([self._pending, np.asarray(fresh, np.int16)])
            self._next += len(fresh)
        if end_of_stream and first_sample + len(samples) == self._next:
            self._ended = True
        return len(fresh)

    def take(self) -> BlockSound:
        """The next block: all sound, or the stream's last samples and then silence.

        Raises:
            ValueError: `block_ready` is false.
        """
        if not self.block_ready:
            raise ValueError(f"{self.available} of {self._block_samples} samples are there")
        sound = self._pending[: self._block_samples]
        tail = np.zeros(self._block_samples - len(sound), np.int16)
        over = self._ended and self.available <= self._block_samples
        last = over and not self._endless
        return self._hand_out(sound, np.concatenate([sound, tail]), last=last)

    def take_idle(self, *, at_once: bool = False) -> BlockSound:
        """A block of silence, with what little sound there is at its end (speech begins) or,
        `at_once`, at its beginning (speech broke off), so that sound already heard goes on without
        a hole before it. What the sound's own look-ahead needs goes on waiting."""
        heard = len(self._pending) - (0 if self._ended else self._lookahead_samples)
        sound = self._pending[: min(self._block_samples, max(0, heard))]
        silence = np.zeros(self._block_samples - len(sound), np.int16)
        parts = [sound, silence] if at_once else [silence, sound]
        return self._hand_out(sound, np.concatenate(parts), last=False)

    def take_silence(self) -> BlockSound:
        """A block of silence; the sound that waits goes on waiting."""
        silence = np.zeros(self._block_samples, np.int16)
        return self._hand_out(self._pending[:0], silence, last=False, goes_on=False)

    def drop(self) -> None:
        """Forget the sound that waits, and the stream it is of: any other may follow."""
        self._pending = np.zeros(0, np.int16)
        self._stream, self._next, self._ended = "", 0, False

    def rewind(self, stream: str, next_sample: int) -> None:
        """Forget the sound that waits; `stream` is to go on at `next_sample`, which may be one that
        was handed out before."""
        self._pending = np.zeros(0, np.int16)
        self._stream, self._next, self._ended = stream, next_sample, False

    def _hand_out(
        self, sound: np.ndarray, block: np.ndarray, *, last: bool, goes_on: bool = True
    ) -> BlockSound:
        first = self._next - len(self._pending)
        self._pending = self._pending[len(sound) :]
        follows = self._pending if goes_on else self._pending[:0]
        ends = self._ended and not self._endless
        window = self._window.push(block, follows, ends=ends)
        return BlockSound(
            first_sample=first,
            next_sample=first + len(sound),
            samples=sound if last else block,
            window=window,
            ahead_samples=len(window) - self._context_samples - self._block_samples,
            last=last,
            idle=len(sound) == 0,
        )
