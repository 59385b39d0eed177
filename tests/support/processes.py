"""Starts a training script of this folder on two processes, as torchrun does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def on_two_processes(script: str, data: Path, out: Path) -> list[dict[str, float]]:
    """The script's `figures.json`; its arguments are `data` and `out`, a new folder."""
    out.mkdir()
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *launcher, str(TESTS / "support" / script), str(data), str(out)],
        env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[:6000] + done.stderr[-3000:]
    figures: list[dict[str, float]] = json.loads((out / "figures.json").read_text())
    return figures
