"""The identity judge: pictures of one person lie close, in any pose; those of other persons far."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.judging.footage import PORTRAIT_SIDE, resized

FEATURES = 96
DIM = 64


class IdentityJudge(Protocol):
    """Turns pictures into unit vectors whose inner product is the similarity of the persons."""

    name: str

    def embed(self, frames: np.ndarray) -> Tensor:
        """uint8 RGB [F, H, W, 3] -> float32 [F, D] of length 1."""
        ...


class IdentityNet(nn.Module):
    """A small convolutional encoder of 96x96 pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(
            *_layer(3, 24), *_layer(24, 48), *_layer(48, 96), *_layer(96, 128),
            nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(128 * 9, FEATURES), nn.GELU(),
        )  # fmt: skip
        self.head = nn.Linear(FEATURES, DIM)

    def features(self, pictures: Tensor) -> Tensor:
        """Pictures [B, 3, 96, 96] in -1..1 -> [B, 96], for Frechet distances."""
        return self.trunk(pictures)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures [B, 3, 96, 96] in -1..1 -> unit vectors [B, 64]."""
        return F.normalize(self.head(self.features(pictures)), dim=1)


class TinyIdentityJudge:
    """An `IdentityJudge` by a trained `IdentityNet`."""

    name = "tiny identity encoder"

    def __init__(self, net: IdentityNet) -> None:
        self._net = net.eval()

    @torch.inference_mode()
    def embed(self, frames: np.ndarray) -> Tensor:
        """See `IdentityJudge.embed`."""
        return torch.cat([self._net(part) for part in self._pictures(frames).split(64)])

    @torch.inference_mode()
    def features(self, frames: np.ndarray) -> np.ndarray:
        """uint8 RGB [F, H, W, 3] -> float32 [F, 96]."""
        parts = [self._net.features(part) for part in self._pictures(frames).split(64)]
        return torch.cat(parts).numpy()

    @staticmethod
    def _pictures(frames: np.ndarray) -> Tensor:
        small = torch.from_numpy(resized(frames, PORTRAIT_SIDE))
        return small.permute(0, 3, 1, 2).float().div(127.5).sub(1.0)


def _layer(before: int, after: int) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, stride=2, padding=1)
    return [conv, nn.GroupNorm(8, after), nn.GELU()]
