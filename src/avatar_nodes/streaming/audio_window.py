"""The sound of a block with the sound before it, as `AudioFeatures.block` wants it."""

from __future__ import annotations

import numpy as np

from avatar_nodes.streaming.block import SAMPLES_PER_BLOCK


class AudioWindow:
    """Remembers the last `context_samples` of a stream of blocks; silence before the stream's
    start.
    """

    def __init__(self, context_samples: int) -> None:
        self._past = np.zeros(context_samples, np.int16)

    def push(self, block: np.ndarray) -> np.ndarray:
        """int16 [7680], one block -> float32 [context_samples + 7680] in -1..1."""
        if block.dtype != np.int16 or block.shape != (SAMPLES_PER_BLOCK,):
            raise ValueError(
                f"a block is int16 [{SAMPLES_PER_BLOCK}], got {block.dtype} {list(block.shape)}"
            )
        window = np.concatenate([self._past, block])
        self._past = window[len(window) - len(self._past) :]
        return window.astype(np.float32) / 32768

    def reset(self) -> None:
        """Begins a stream."""
        self._past = np.zeros_like(self._past)


def split_blocks(samples: np.ndarray) -> list[np.ndarray]:
    """int16 [n] -> blocks [7680], the last one filled up with silence."""
    filled = np.pad(samples, (0, -len(samples) % SAMPLES_PER_BLOCK))
    return np.split(filled, len(filled) // SAMPLES_PER_BLOCK) if len(filled) else []
