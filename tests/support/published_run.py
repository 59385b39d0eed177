"""A run on a small folder of published weights: shards of two clips, their encoding, the recipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from avatar_nodes.training.data.encoding import write_encoded
from avatar_nodes.training.data.shards.clips import ClipRecord, write_shard
from support.wan_checkpoint import build_wan_checkpoint

WIDTH, HEIGHT = 96, 64
BLOCKS = 4
PROMPTS = ("A person talks calmly.", "A person waves hello.")
RECIPE = """
weights: {weights}
sigmas: [1.0, 0.9, 0.5, 0.0]
videos: {{width: 96, height: 64, blocks: 4}}
teacher: {{sample_every: 0}}
causal:
  steps: 2
  batch: 2
  blocks: 3
  warmup: 1
  learning_rate: 1.0e-3
  matrix_learning_rate: null
  same_noise_share: 0.0
  lora: {{rank: 4, alpha: 2}}
  compile: false
  recompute: true
  sample_every: 0
distill:
  steps: 2
  batch: 2
  blocks: 3
  warmup: 1
  learning_rate: 1.0e-3
  fake_learning_rate: 1.0e-3
  fake_updates: 1
  history_noise: 0.05
  block_by_block: true
  lora: {{rank: 4, alpha: 2}}
  compile: false
  recompute: true
  sample_every: 0
"""


def write_published_run(folder: Path) -> Path:
    """Write `weights/`, `recipe.yaml` and a run folder `run/` with `shards/` and `encoded/`;
    returns `folder`.
    """
    weights, run = build_wan_checkpoint(folder / "weights"), folder / "run"
    clips = [_clip(number) for number in range(2)]
    write_shard(run / "shards" / "train-00000.tar", clips)
    (run / "shards" / "train-00000.json").write_text(json.dumps({"clips": len(clips)}))
    threads = torch.get_num_threads()
    write_encoded(
        run / "encoded", shards=run / "shards", vae_folder=run / "vae", split="train",
        weights=weights,
    )  # fmt: skip
    torch.set_num_threads(threads)
    (folder / "recipe.yaml").write_text(RECIPE.format(weights=weights))
    return folder


def _clip(number: int) -> ClipRecord:
    """A picture that drifts, a tone that is switched on and off."""
    rng = np.random.default_rng(number)
    count = BLOCKS * 12
    ground = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)

    def frames() -> Iterator[np.ndarray]:
        for frame in range(count):
            yield np.roll(ground, 2 * frame, axis=1)

    times = np.arange(BLOCKS * 7680) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * (150 + 40 * number) * times) * (np.sin(9 * times) > 0)
    lines = tuple(PROMPTS[block * 2 // BLOCKS] for block in range(BLOCKS))
    mouth = np.tile(np.array([40, 30, 56, 44], np.int16), (count, 1))
    return ClipRecord(
        f"train_00000_{number:04d}", (WIDTH, HEIGHT), frames(), sound.astype(np.float32), lines,
        {"source": "video"}, {"mouth": mouth, "reference": ground},
    )  # fmt: skip
