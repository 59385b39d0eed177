"""Describes a remembered latent frame as a unit vector, by which key frames are chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from avatar_nodes.errors.configuration_error import ConfigurationError


class FrameFeaturesError(ConfigurationError):
    """Features that cannot be had; one line."""


class FrameFeatures(Protocol):
    """Describes latent frames. Similar to the eye should mean a high inner product."""

    needs_frames: bool
    """Whether the decoded frames are looked at."""

    def describe(self, latent: Tensor, frames: np.ndarray | None = None) -> np.ndarray:
        """latent float32 [C, F, h, w], frames uint8 RGB [n, H, W, 3], those of the latent frames ->
        float64 [F, D], length 1.

        Raises:
            FrameFeaturesError: frames are needed and not there, or are not as many.
        """
        ...


class PooledLatents:
    """The latents themselves, of larger pictures averaged over `cells` x `cells` parts. Costs
    nothing, needs no further weights, sees shapes and colours where they are.

    With fewer cells a thing held in a hand is hardly seen (docs/memory.md).
    """

    needs_frames = False

    def __init__(self, cells: int = 16) -> None:
        """Raises ValueError: cells below 1."""
        if cells < 1:
            raise ValueError(f"cells must be above 0, got {cells}")
        self._cells = cells

    def describe(self, latent: Tensor, frames: np.ndarray | None = None) -> np.ndarray:
        """See `FrameFeatures.describe`."""
        frames_first = latent.float().transpose(0, 1)
        cells = (min(self._cells, latent.shape[2]), min(self._cells, latent.shape[3]))
        return _unit(F.adaptive_avg_pool2d(frames_first, cells).flatten(1))


class Siglip2Features:
    """The paper's: the image tower of SigLIP 2, the mean over a latent frame's pictures."""

    needs_frames = True

    def __init__(
        self, folder: str | Path, *, frames_per_latent: int = 4, device: str = "cpu"
    ) -> None:
        """folder: a local SigLIP or SigLIP 2 model as transformers saves it.

        Raises:
            FrameFeaturesError: it is not there, or is no such model.
        """
        from transformers import AutoImageProcessor, AutoModel

        if not (Path(folder) / "config.json").is_file():
            raise FrameFeaturesError(f"{folder}: has no config.json; expected a SigLIP 2 model")
        try:
            self._processor: Any = AutoImageProcessor.from_pretrained(
                folder, local_files_only=True, backend="pil"
            )
            model: Any = AutoModel.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, ImportError) as error:
            reason = str(error).strip().splitlines()[0]
            raise FrameFeaturesError(f"{folder}: no SigLIP 2 model: {reason}") from error
        if not hasattr(model, "get_image_features"):
            raise FrameFeaturesError(f"{folder}: a {model.config.model_type} has no image features")
        self._frames_per_latent = frames_per_latent
        self._device = torch.device(device)
        self._model = model.eval().requires_grad_(False).to(self._device)

    @torch.inference_mode()
    def describe(self, latent: Tensor, frames: np.ndarray | None = None) -> np.ndarray:
        """See `FrameFeatures.describe`."""
        count = latent.shape[1]
        wanted = count * self._frames_per_latent
        if frames is None or len(frames) != wanted:
            found = "none" if frames is None else str(len(frames))
            raise FrameFeaturesError(
                f"expected {wanted} frames for {count} latent frames, got {found}"
            )
        inputs = self._processor(images=list(frames), return_tensors="pt").to(self._device)
        found = self._model.get_image_features(**inputs)
        pictures = found if isinstance(found, Tensor) else found.pooler_output
        return _unit(pictures.float().unflatten(0, (count, -1)).mean(dim=1))


def _unit(vectors: Tensor) -> np.ndarray:
    return F.normalize(vectors.double(), dim=1).cpu().numpy()
