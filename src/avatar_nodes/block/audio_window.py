"""The sound of a block with the sound around it, as `AudioFeatures.block` wants it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from avatar_nodes.block.block import SAMPLES_PER_BLOCK


class AudioWindow:
    """Remembers the last `context_samples` of a stream of blocks; silence before the stream's
    start, and for whatever of the `lookahead_samples` after a block is not there yet; where the
    stream is known to end, no more than its last block and one of silence.
    """

    def __init__(self, context_samples: int, lookahead_samples: int = 0) -> None:
        self._past = np.zeros(context_samples, np.int16)
        self._lookahead = lookahead_samples

    def push(
        self, block: np.ndarray, ahead: np.ndarray | None = None, *, ends: bool = False
    ) -> np.ndarray:
        """int16 [7680], one block, and what follows it, int16 [any] -> float32 [context_samples +
        7680 + ahead] in -1..1. ends: nothing follows `ahead`, so its length may be less than
        lookahead_samples.
        """
        if block.dtype != np.int16 or block.shape != (SAMPLES_PER_BLOCK,):
            raise ValueError(
                f"a block is int16 [{SAMPLES_PER_BLOCK}], got {block.dtype} {list(block.shape)}"
            )
        window = np.concatenate([self._past, block])
        self._past = window[len(window) - len(self._past) :]
        known = block[:0] if ahead is None else ahead[: self._lookahead]
        rest = (-(-len(known) // SAMPLES_PER_BLOCK) + 1) * SAMPLES_PER_BLOCK
        follows = np.zeros(min(self._lookahead, rest) if ends else self._lookahead, np.int16)
        follows[: len(known)] = known
        return np.concatenate([window, follows]).astype(np.float32) / 32768

    def reset(self) -> None:
        """Begins a stream."""
        self._past = np.zeros_like(self._past)


def split_blocks(samples: np.ndarray) -> list[np.ndarray]:
    """int16 [n] -> blocks [7680], the last one filled up with silence."""
    filled = np.pad(samples, (0, -len(samples) % SAMPLES_PER_BLOCK))
    return np.split(filled, len(filled) // SAMPLES_PER_BLOCK) if len(filled) else []


def blocks_and_what_follows(samples: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """int16 [n] -> each block of `split_blocks`, and all samples after it."""
    for number, block in enumerate(split_blocks(samples), start=1):
        yield block, samples[number * SAMPLES_PER_BLOCK :]
