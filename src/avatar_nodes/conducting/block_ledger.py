"""Remembers the blocks that were issued, to issue them again and to rebuild caches from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch import Tensor

from avatar_nodes.block.block import BlockContext

_MOST = 256
"""More than a window and what is under way; only what strangers send reaches it."""


@dataclass(frozen=True)
class IssuedBlock:
    """A block as it was decided on; issuing it again in another epoch decides nothing anew."""

    block: int
    prompt_id: str
    features: Tensor
    """float32 [layers, D, columns]."""
    samples: np.ndarray
    """int16 [n], what is heard with it."""
    stream: str
    """Id of the source's stream."""
    first_sample: int
    """Index in that stream of its first sample."""
    next_sample: int
    """Index in that stream at which the next block goes on."""
    last: bool
    """True: the stream ends with it."""
    cache_switch: bool = False
    """True: the past comes under its prompt before it is computed (Cache-Switching)."""


class BlockLedger:
    """Issued blocks and clean latents by number, from the window's first block on.

    Args:
        window: past blocks that a block attends to.
    """

    def __init__(self, *, window: int) -> None:
        self._window = window
        self._issued: dict[int, IssuedBlock] = {}
        self._clean: dict[int, Tensor] = {}
        self._muted_before = 0

    def restart(self) -> None:
        """Another stream: nothing of the one before counts."""
        self._issued.clear()
        self._clean.clear()
        self._muted_before = 0

    def record(self, issued: IssuedBlock) -> None:
        """Remember a block that was issued."""
        self._issued[issued.block] = issued
        _bound(self._issued)

    def clean(self, block: int, latent: Tensor) -> None:
        """Remember a block's clean latent, float32 [C, F, H, W]; a later one replaces it."""
        self._clean[block] = latent
        _bound(self._clean)

    def issued(self, block: int) -> IssuedBlock | None:
        """The block as it was issued; None: it was not, or is forgotten."""
        return self._issued.get(block)

    @property
    def prompt_ids(self) -> set[str]:
        """The prompts of all blocks that are remembered."""
        return {issued.prompt_id for issued in self._issued.values()}

    @property
    def next_block(self) -> int:
        """The block after the newest that was issued; 0: none is known."""
        return max(self._issued, default=-1) + 1

    def issued_from(self, first: int) -> list[IssuedBlock]:
        """What is known of the blocks from `first` on, oldest first."""
        return [self._issued[block] for block in sorted(self._issued) if block >= first]

    def mute(self, before: int) -> None:
        """The sound of all blocks before `before` is to be heard no more."""
        self._muted_before = max(self._muted_before, before)

    def again(self, block: int) -> IssuedBlock | None:
        """The block as it is to be issued again: in silence if its sound is to be heard no more.
        None: it was not issued."""
        issued = self._issued.get(block)
        if issued is None or block >= self._muted_before:
            return issued
        return replace(issued, samples=np.zeros_like(issued.samples))

    def context(self, before: int) -> list[BlockContext]:
        """The finished blocks right before `before`, oldest first, without a hole; at most the
        window. Those before a cache switch are under the prompt that it switched to."""
        context: list[BlockContext] = []
        switched_to = ""
        for block in range(before - 1, before - 1 - self._window, -1):
            issued, latent = self._issued.get(block), self._clean.get(block)
            if issued is None or latent is None:
                break
            context.append(
                BlockContext(
                    block=block, prompt_id=switched_to or issued.prompt_id, audio=issued.features,
                    latent=latent,
                )
            )  # fmt: skip
            if issued.cache_switch:
                switched_to = switched_to or issued.prompt_id
        return context[::-1]

    def past_sound(self, before: int, count: int) -> np.ndarray:
        """The last `count` samples (int16) heard before `before`; zeros where nothing is known."""
        parts: list[np.ndarray] = []
        missing = count
        block = before - 1
        while missing > 0 and (issued := self._issued.get(block)) is not None:
            parts.insert(0, issued.samples[max(0, len(issued.samples) - missing) :])
            missing -= len(parts[0])
            block -= 1
        return np.concatenate([np.zeros(missing, np.int16), *parts])

    def forget(self, before: int) -> None:
        """Blocks that no later epoch can need: those more than a window (and one) before
        `before`."""
        oldest = before - self._window - 1
        for store in (self._issued, self._clean):
            for block in [number for number in store if number < oldest]:
                del store[block]


def _bound(store: dict[int, Any]) -> None:
    while len(store) > _MOST:
        del store[min(store)]
