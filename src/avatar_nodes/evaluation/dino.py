"""Judges identity by DINO features (Dino-S of the papers), from a local folder of weights."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_nodes.judging.footage import JudgeError

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DinoJudge:
    """An `IdentityJudge`: the class token of a DINO or DINOv2 model, nothing downloaded."""

    def __init__(self, folder: Path) -> None:
        """Raises JudgeError when the folder has no model that transformers can load."""
        from transformers import AutoModel

        if not (folder / "config.json").is_file():
            raise JudgeError(f"{folder}: has no config.json of a DINO model")
        try:
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise JudgeError(f"{folder}: {str(error).splitlines()[0]}") from error
        self.name = f"DINO ({self._model.config.model_type})"
        self._side = int(getattr(self._model.config, "image_size", 224))
        self._mean, self._std = _normalisation(folder)

    @torch.inference_mode()
    def embed(self, frames: np.ndarray) -> Tensor:
        """See `IdentityJudge.embed`."""
        vectors = []
        for frame in frames:
            picture = cv2.resize(frame, (self._side, self._side), interpolation=cv2.INTER_AREA)
            pixels = torch.from_numpy(picture).permute(2, 0, 1).float().div(255.0)
            pixels = (pixels - self._mean) / self._std
            vectors.append(self._model(pixels[None]).last_hidden_state[:, 0])
        return F.normalize(torch.cat(vectors).float(), dim=1)


def _normalisation(folder: Path) -> tuple[Tensor, Tensor]:
    """Mean and deviation [3, 1, 1] of the model's image processor; ImageNet's without one."""
    path = folder / "preprocessor_config.json"
    config = json.loads(path.read_text()) if path.is_file() else {}
    mean, std = config.get("image_mean", _MEAN), config.get("image_std", _STD)
    return torch.tensor(mean).view(3, 1, 1), torch.tensor(std).view(3, 1, 1)
