"""Keeps a training run: its folder, its log, its checkpoints, its end."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from avatar_nodes.training.loop.distributed import Workers, kept_whole, load_whole


class TrainingDivergedError(RuntimeError):
    """The loss is no longer a finite number; the last good checkpoint is kept."""


class TrainingRun:
    """Counts steps, prints progress with the time left, logs curves, saves and resumes.

    `state` maps names to objects with `state_dict`/`load_state_dict`. A checkpoint is written
    beside the last one and then renamed over it, so a kill at any moment leaves a whole one.
    The run ends at `steps`, after `minutes` of training, or at Ctrl-C, and saves in each case.
    Minutes are those of all its parts together, where it was stopped and resumed.
    """

    def __init__(
        self,
        folder: Path,
        *,
        state: Mapping[str, Any],
        steps: int,
        minutes: float | None = None,
        resume: bool = False,
        save_every: int = 200,
        print_every: int = 20,
        workers: Workers | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._workers = workers or Workers()
        self.folder = folder
        self.step = 0
        self.steps = steps
        self._state = state
        self._minutes = minutes
        self._save_every = save_every
        self._print_every = print_every
        self._path = folder / "state.pt"
        self._stop = False
        self._out_of_time = False
        self._began: float | None = None
        self._earlier = 0.0
        self._sums: dict[str, float] = {}
        self._count = 0
        if resume and self._path.exists():
            self._load()
        self._writer: SummaryWriter | None = None
        if self.first:
            self._writer = SummaryWriter(str(folder / "curves"), purge_step=self.step)

    @property
    def first(self) -> bool:
        """This process is the one that writes files and prints."""
        return self._workers.first

    def curve(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve."""
        if self._writer is not None:
            self._writer.add_scalar(name, value, step)

    def picture(self, name: str, path: Path, step: int) -> None:
        """Show a PNG beside the curves."""
        pixels = cv2.imread(str(path))
        if self._writer is not None and pixels is not None:
            self._writer.add_image(name, pixels[..., ::-1], step, dataformats="HWC")

    def __iter__(self) -> Iterator[int]:
        """Yield step numbers until the run ends; saves on the way and at the end."""
        start = self._began = time.monotonic()
        first = self.step
        previous = signal.signal(signal.SIGINT, self._interrupt)
        try:
            while self.step < self.steps and not self._stop:
                yield self.step
                self.step += 1
                elapsed = time.monotonic() - start
                if self.step % self._print_every == 0:
                    self._report(elapsed, self.step - first)
                if self.step % self._save_every == 0:
                    self.save()
                late = self._minutes is not None and self._trained() > self._minutes * 60
                self._stop = self._workers.any(self._stop)
                if self._workers.any(late):
                    self._out_of_time = True
                    break
        finally:
            signal.signal(signal.SIGINT, previous)
        self.save()
        if self._writer is not None:
            self._writer.close()

    @property
    def fraction(self) -> float:
        """Share of the planned steps, or of the planned time, that is done, 0..1; the larger one.

        Learning rates follow it, so that they have fallen when the run ends by either.
        """
        share = self.step / max(1, self.steps)
        if self._minutes:
            share = max(share, self._trained() / (60.0 * self._minutes))
        return min(1.0, share)

    def _trained(self) -> float:
        """Seconds of training, those before a resumption too."""
        now = 0.0 if self._began is None else time.monotonic() - self._began
        return self._earlier + now

    @property
    def complete(self) -> bool:
        """All planned steps are done, or the planned time is over."""
        return self.step >= self.steps or self._out_of_time

    def log(self, values: Mapping[str, float]) -> None:
        """Add one step's figures (means over the processes) to the running means.

        Raises:
            TrainingDivergedError: a figure is NaN or infinite.
        """
        for name, value in self._workers.figures(values).items():
            if not math.isfinite(value):
                raise TrainingDivergedError(
                    f"{name} became {value} at step {self.step}; the last good state is "
                    f"{self._path} (resume with a lower learning rate)"
                )
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1

    def save(self) -> None:
        """Write the whole state, atomically. No process but the first ever holds more than one
        tensor of it."""
        blob = {
            name: kept_whole(item.state_dict(), self.first) for name, item in self._state.items()
        }
        blob["run"] = {
            "step": self.step, "rng": torch.get_rng_state(), "seconds": self._trained(),
        }  # fmt: skip
        if self.first:
            partial = self._path.with_suffix(".partial")
            torch.save(blob, partial)
            partial.replace(self._path)
        self._workers.wait()

    def _load(self) -> None:
        blob = torch.load(self._path, weights_only=True, map_location="cpu")
        for name, item in self._state.items():
            if isinstance(item, nn.Module):
                load_whole(item, blob[name])
            else:
                item.load_state_dict(blob[name])
        self.step = int(blob["run"]["step"])
        self._earlier = float(blob["run"].get("seconds", 0.0))
        torch.set_rng_state(blob["run"]["rng"])

    def _report(self, elapsed: float, done: int) -> None:
        means = {name: total / max(1, self._count) for name, total in self._sums.items()}
        for name, value in means.items():
            self.curve(name, value, self.step)
        left = elapsed / done * (self.steps - self.step)
        if self._minutes is not None:
            left = min(left, self._minutes * 60 - self._trained())
        self._sums.clear()
        self._count = 0
        if not self.first:
            return
        figures = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        print(
            f"step {self.step}/{self.steps}  {figures}  {elapsed / done:.2f} s a step, "
            f"{max(0.0, left) / 60:.0f} min left",
            flush=True,
        )
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": self.step, **means}) + "\n")

    def _interrupt(self, *_: object) -> None:
        if self._stop:
            raise KeyboardInterrupt
        print("stopping after this step (Ctrl-C again to stop at once)", flush=True)
        self._stop = True
