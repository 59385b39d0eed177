"""Trains three small stages on however many processes it is started; run by `test_distributed`.

Arguments: the run folder with the data, and the folder for what is trained.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from avatar_nodes.training.loop.distributed import Workers
from avatar_nodes.training.stages.causal import CausalTraining, train_causal
from avatar_nodes.training.stages.distill import DistillTraining, train_distill
from avatar_nodes.training.stages.teacher import TeacherTraining, train_teacher
from avatar_nodes.training.transformer.lora import LowRank
from support.recorded_training import recorded_figures
from support.training_run import CONFIG, SIGMAS

TEACHER = TeacherTraining(
    steps=3, batch=4, blocks=2, warmup=1, compile=False, sample_every=99, matrix_learning_rate=0.01
)
CAUSAL = CausalTraining(
    steps=2, batch=4, blocks=3, warmup=1, compile=False, sample_every=99, lora=LowRank(4, 8)
)
DISTILL = DistillTraining(
    steps=2, batch=2, blocks=3, fake_updates=1, warmup=1, compile=False, sample_every=99,
    block_by_block=True, learning_rate=1e-3, fake_learning_rate=1e-3, history_noise=0.05,
    regression_weight=0.1,
)  # fmt: skip


def train_stages(data: Path, out: Path) -> list[dict[str, float]]:
    """Train the stages on the data of a run folder; returns the figures of every step."""
    with recorded_figures() as figures:
        _train(data, out)
    return figures


def _train(data: Path, out: Path) -> None:
    text, vae = data / "text" / "export", data / "vae" / "vae"
    for minutes in (0.0, None):  # one step, then the others, resumed
        train_teacher(
            replace(TEACHER, minutes=minutes), config=CONFIG, clips=data / "encoded",
            folder=out / "teacher", vae=vae, resume=True, text=text,
        )  # fmt: skip
    taught = out / "teacher" / "export"
    train_causal(
        CAUSAL, config=CONFIG, clips=data / "encoded", folder=out / "causal", sigmas=SIGMAS,
        vae=vae, resume=False, text=text, start=taught,
    )  # fmt: skip
    train_distill(
        DISTILL, clips=data / "encoded", folder=out / "distill", teacher=taught,
        student=out / "causal" / "export", sigmas=SIGMAS, vae=vae, resume=False,
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    made = train_stages(Path(sys.argv[1]), Path(sys.argv[2]))
    if Workers().first:
        Path(sys.argv[2], "figures.json").write_text(json.dumps(made))
