"""Trains on published weights with the commands; run on two processes by `test_published_training`.

Arguments: the folder of `write_published_run`, and the run folder for what is trained.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path

from avatar_nodes.cli import main
from avatar_nodes.training.loop.distributed import Workers
from support.recorded_training import recorded_figures


def train_published(data: Path, out: Path) -> list[dict[str, float]]:
    """`causal` and `distill` on the encoded clips of `data`; the figures of every step."""
    with recorded_figures() as figures:
        for stage in ("causal", "distill"):
            command(stage, data / "recipe.yaml", _run(data, out))
    return figures


def command(stage: str, recipe: Path, run: Path, *more: str) -> None:
    """`avatar train STAGE`."""
    options = ["--config", str(recipe), "--run", str(run), "--threads", "1"]
    main(["train", stage, *options, *more], standalone_mode=False)


def _run(data: Path, out: Path) -> Path:
    out.mkdir(exist_ok=True)
    with suppress(FileExistsError):  # the other process was faster
        (out / "encoded").symlink_to(data / "run" / "encoded")
    return out


if __name__ == "__main__":
    made = train_published(Path(sys.argv[1]), Path(sys.argv[2]))
    if Workers().first:
        Path(sys.argv[2], "figures.json").write_text(json.dumps(made))
