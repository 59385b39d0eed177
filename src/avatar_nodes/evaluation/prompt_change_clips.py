"""Makes clips whose prompt changes once: an action begins, ends, or becomes another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.world import Thing
from avatar_nodes.world.clips import Clip, ClipSpec

KINDS = ("begins", "ends", "becomes another")
"""Changes of the action where the prompt changes."""
CHANGE_BLOCK = 3
"""First block under the new prompt."""
_SEED = 97_000
_OTHER = 4
"""Distance down the list of actions to the other one."""


@dataclass(frozen=True)
class PromptChangeClip:
    """A clip, and the same person with the same words and no change."""

    kind: str
    clip: Clip
    twin: Clip


def prompt_change_clips(
    actions: Sequence[str], people: int, *, blocks: int, split: str = "test",
    timing: BlockTiming | None = None,
) -> Iterator[PromptChangeClip]:  # fmt: skip
    """For each action `people` clips of each of `KINDS`, with speech, of `blocks` blocks."""
    for number in range(people):
        for index, action in enumerate(actions):
            seed = _SEED + number * 100 + index
            plain = ClipSpec.sample(seed, split=split, blocks=blocks, timing=timing)
            plain = replace(plain, thing=Thing.sample(np.random.default_rng([seed, 0xC4])))
            other = actions[(index + _OTHER) % len(actions)]
            before, after = (action, 0, CHANGE_BLOCK), (action, CHANGE_BLOCK, blocks)
            spans = {
                "begins": ((after,), ()),
                "ends": ((before,), ((action, 0, blocks),)),
                "becomes another": (
                    (before, (other, CHANGE_BLOCK, blocks)),
                    ((action, 0, blocks),),
                ),
            }
            for kind in KINDS:
                clip, twin = (Clip(replace(plain, actions=span)) for span in spans[kind])
                yield PromptChangeClip(kind, clip, twin)
