"""Plans the tiny world's shards: clips of drawn and of lifelike people, with their truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avatar_nodes.block.timing import BlockTiming
from avatar_nodes.training.data.shards.build import ShardJob
from avatar_nodes.training.data.shards.clips import SPLITS, ClipRecord, write_shard
from avatar_nodes.world.clips import SIZE, Clip, ClipSpec

SEED_STRIDE = 1_000_003
"""Clip i of seed s has the seed s * 1,000,003 + i: other recipes, other clips."""


@dataclass(frozen=True)
class WorldData:
    """Numbers of clips of the tiny world to render; the splits share no person and no sentence."""

    train: int = 480
    val: int = 16
    test: int = 16
    blocks: int = 12
    """Length of a clip."""
    seed: int = 2
    clips_per_shard: int = 20
    people_share: float = 0.0
    """Share of the clips that are of lifelike people, as a camera would take them; the others are
    drawn. It needs the training extra and the file of `avatar train people`."""
    other_voice_share: float = 0.0
    """Share of the clips whose voice is of another synthesiser than espeak-ng: Kokoro (its model in
    the store: `avatar models fetch kokoro`) or the command flite."""

    def __post_init__(self) -> None:
        for name in ("people_share", "other_voice_share"):
            if not 0.0 <= (share := getattr(self, name)) <= 1.0:
                raise ValueError(f"{name} must be within 0..1, got {share}")
        if self.blocks < 1 or self.clips_per_shard < 1:
            raise ValueError("blocks and clips_per_shard must be at least 1")
        if min(self.train, self.val, self.test) < 0:
            raise ValueError("train, val and test must not be negative")

    def jobs(self, timing: BlockTiming | None = None) -> list[WorldShard]:
        """Every shard of every split; timing: of the model that it is for (None: the
        defaults).
        """
        step = self.clips_per_shard
        return [
            WorldShard(
                name=f"{split}-{first // step:05d}",
                split=split,
                first=first,
                count=min(step, total - first),
                blocks=self.blocks,
                seed=self.seed,
                timing=timing or BlockTiming(),
                people_share=self.people_share,
                other_voice_share=self.other_voice_share,
            )
            for split, total in zip(SPLITS, (self.train, self.val, self.test), strict=True)
            for first in range(0, total, step)
        ]


@dataclass(frozen=True)
class WorldShard(ShardJob):
    """Clips `first` .. `first + count - 1` of a split."""

    split: str
    first: int
    count: int
    blocks: int
    seed: int
    timing: BlockTiming
    people_share: float = 0.0
    other_voice_share: float = 0.0

    def write(self, folder: Path) -> dict[str, Any]:
        return {"clips": write_shard(folder / f"{self.name}.tar", self._clips())}

    def _clips(self) -> Iterator[ClipRecord]:
        for index in range(self.first, self.first + self.count):
            spec = ClipSpec.sample(
                self.seed * SEED_STRIDE + index, split=self.split, blocks=self.blocks,
                other_voice_share=self.other_voice_share, timing=self.timing,
            )  # fmt: skip
            yield world_record(f"{self.split}_{index:05d}", self._clip(spec))

    def _clip(self, spec: ClipSpec) -> Clip:
        if np.random.default_rng([spec.seed, 13]).random() >= self.people_share:
            return Clip(spec)
        from avatar_nodes.world.people.clips import PeopleClip  # needs the training extra

        return PeopleClip(spec, photographed=True)


def world_record(key: str, clip: Clip) -> ClipRecord:
    """A clip of the tiny world with all that is known of it; `source` is `world` or `people`."""
    count = clip.performance.num_frames
    spec = clip.spec
    truth = {
        "mouth": np.array([clip.mouth_box(n) for n in range(count)], np.int16),
        "reference": clip.reference(),
        "aperture": clip.aperture.astype(np.float32),
        "search_box": np.array(clip.search_box, np.int16),
        "object_visible": clip.object_visible,
        "object_box": np.array(
            [clip.object_box(n) or (0, 0, 0, 0) for n in range(count)], np.int16
        ),
    }
    about = {
        "source": clip.SOURCE,
        "seed": spec.seed,
        "split": spec.split,
        "identity": spec.identity,
        "actions": [list(action) for action in spec.actions],
        "object": None if spec.thing is None else {**asdict(spec.thing), "name": spec.thing.name},
        "unheard_voice": spec.unheard_voice,
        "other_voice": spec.other_voice,
    }
    frames = (clip.frame(n) for n in range(count))
    return ClipRecord(
        key, (SIZE, SIZE), frames, clip.sound, clip.prompts, about, truth, spec.timing
    )
