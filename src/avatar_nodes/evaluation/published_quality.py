"""Runs published judges of quality, where their packages and weights are on this machine."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from avatar_nodes.judging.footage import JudgeError

FVD_FRAMES = 16


class PictureJudge(Protocol):
    """Scores single pictures without a reference."""

    name: str

    def score(self, frames: np.ndarray) -> float:
        """Mean over uint8 RGB frames [F, H, W, 3]; higher is better."""
        ...


class QAlign:
    """Q-Align through pyiqa: the IQA (`quality`) and ASE (`aesthetic`) of the papers."""

    def __init__(self, task: str, metric: Any) -> None:
        self.name = {"quality": "iqa", "aesthetic": "ase"}[task]
        self._task = task
        self._metric = metric

    @torch.inference_mode()
    def score(self, frames: np.ndarray) -> float:
        """See `PictureJudge.score`; 1 to 5."""
        pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float().div(255.0)
        values = [float(self._metric(picture[None], task_=self._task)) for picture in pixels]
        return float(np.mean(values))


def load_qalign() -> list[QAlign]:
    """Both tasks on one set of weights.

    Raises JudgeError when pyiqa is not installed or has no weights and cannot get them.
    """
    if importlib.util.find_spec("pyiqa") is None:
        raise JudgeError("pyiqa is not installed (pip install pyiqa)")
    import pyiqa

    try:
        metric = pyiqa.create_metric("qalign")
    except Exception as error:  # it downloads, and fails in as many ways as the network has
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise JudgeError(f"the weights of Q-Align cannot be loaded: {reason}") from error
    return [QAlign(task, metric) for task in ("quality", "aesthetic")]


class VideoFeatures:
    """Features of 16-frame clips by the TorchScript I3D that FVD is computed with."""

    def __init__(self, weights: Path) -> None:
        """weights: `i3d_torchscript.pt` as StyleGAN-V's FVD uses. Raises JudgeError."""
        try:
            self._net = torch.jit.load(str(weights), map_location="cpu").eval()
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().splitlines()[0]
            raise JudgeError(f"{weights}: is no TorchScript module: {reason}") from error

    @torch.inference_mode()
    def features(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [F, H, W, 3] -> float32 [F // 16, D].

        Raises JudgeError when the footage is shorter than 16 frames.
        """
        count = len(frames) // FVD_FRAMES
        if count == 0:
            raise JudgeError(f"FVD needs {FVD_FRAMES} frames, there are {len(frames)}")
        clips = frames[: count * FVD_FRAMES].reshape(count, FVD_FRAMES, *frames.shape[1:])
        rows = []
        for clip in clips:
            video = torch.from_numpy(clip).permute(3, 0, 1, 2)[None].float()
            rows.append(self._net(video, rescale=True, resize=True, return_features=True))
        return torch.cat(rows).float().numpy()
