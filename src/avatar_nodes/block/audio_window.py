"""Puts the sound around a block to it, as `AudioFeatures.block` wants it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatar_nodes.block.speech_level import SpeechLevel


class AudioWindow:
    """Remembers the last `context_samples` of a stream of blocks of `block_samples`; silence before
    the stream's start, and for whatever of the `lookahead_samples` after a block is not there yet;
    where the stream is known to end, no more than its last block and one of silence.

    speech_level: windows are divided by the level of the speech so far, that of their own block
    included; it counts what is pushed.
    """

    def __init__(
        self, block_samples: int, context_samples: int, lookahead_samples: int = 0, *,
        speech_level: SpeechLevel | None = None,
    ) -> None:  # fmt: skip
        self._block = block_samples
        self._past = np.zeros(context_samples, np.int16)
        self._lookahead = lookahead_samples
        self._level = speech_level

    def push(
        self, block: np.ndarray, ahead: np.ndarray | None = None, *, ends: bool = False
    ) -> np.ndarray:
        """int16 [block_samples], one block, and what follows it, int16 [any] -> float32
        [context_samples + block_samples + ahead] in -1..1, or divided by the speech's level. ends:
        nothing follows `ahead`, so its length may be less than lookahead_samples.
        """
        if block.dtype != np.int16 or block.shape != (self._block,):
            raise ValueError(
                f"a block is int16 [{self._block}], got {block.dtype} {list(block.shape)}"
            )
        window = np.concatenate([self._past, block])
        self._past = window[len(window) - len(self._past) :]
        known = block[:0] if ahead is None else ahead[: self._lookahead]
        rest = (-(-len(known) // self._block) + 1) * self._block
        follows = np.zeros(min(self._lookahead, rest) if ends else self._lookahead, np.int16)
        follows[: len(known)] = known
        sound = np.concatenate([window, follows]).astype(np.float32) / 32768
        if self._level is not None:
            self._level.hear(block)
            sound /= np.float32(self._level.value)
        return sound

    def reset(self) -> None:
        """Begins a stream."""
        self._past = np.zeros_like(self._past)
        if self._level is not None:
            self._level.reset()

    def restore(self, past: np.ndarray) -> None:
        """Goes on in a stream of which these samples, int16 [any], came last."""
        padded = np.concatenate([np.zeros_like(self._past), past])
        self._past = padded[len(padded) - len(self._past) :]
        if self._level is not None:
            self._level.reset()
            self._level.hear(past)


def split_blocks(samples: np.ndarray, block_samples: int) -> list[np.ndarray]:
    """int16 [n] -> blocks [block_samples], the last one filled up with silence."""
    filled = np.pad(samples, (0, -len(samples) % block_samples))
    return np.split(filled, len(filled) // block_samples) if len(filled) else []


def blocks_and_what_follows(
    samples: np.ndarray, block_samples: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """int16 [n] -> each block of `split_blocks`, and all samples after it."""
    for number, block in enumerate(split_blocks(samples, block_samples), start=1):
        yield block, samples[number * block_samples :]
