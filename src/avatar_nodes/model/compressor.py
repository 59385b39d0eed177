"""The compressor of visual memory: a clean latent frame as a few tokens (InteractiveAvatar's C)."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError


class MemoryCompressor(nn.Module):
    """Every 4x4 cells of a latent frame (or 2x2, `MemoryConfig.cells`) become one token of the
    transformer's width.

    A coarse branch takes the frame at lower resolution through a patch embedding; it begins as the
    transformer's own, of a reference frame. Beside it convolutions and attention among the frame's
    tokens add what the coarse picture lacks; their gate begins at 0, so an untrained compressor
    gives the transformer a small picture of the kind that it knows as its sink.
    """

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        if config.memory is None:
            raise ModelConfigError("memory: a compressor needs this section")
        memory, patch = config.memory, config.patch_size[1]
        half = memory.hidden // 2
        self.pool = memory.cells // patch
        self.coarse = nn.Conv2d(config.in_dim, config.dim, patch, stride=patch)
        self.convolutions = nn.Sequential(
            nn.Conv2d(config.in_dim, half, 3, stride=memory.cells // 2, padding=1), nn.SiLU(),
            nn.Conv2d(half, memory.hidden, 3, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.attention = nn.ModuleList(
            nn.TransformerEncoderLayer(
                memory.hidden, memory.heads, 4 * memory.hidden, dropout=0.0, activation="gelu",
                batch_first=True, norm_first=True,
            )
            for _ in range(memory.layers)
        )  # fmt: skip
        self.widen = nn.Linear(memory.hidden, config.dim)
        self.gate = nn.Parameter(torch.zeros(config.dim))

    def forward(self, latents: Tensor) -> Tensor:
        """Latent frames [N, C, H, W] -> tokens [N, rows * columns, dim], row by row."""
        coarse = self.coarse(F.avg_pool2d(latents, self.pool))
        detail = self.convolutions(latents).flatten(2).transpose(1, 2)
        for layer in self.attention:
            detail = layer(detail)
        return coarse.flatten(2).transpose(1, 2) + self.gate * self.widen(detail)

    @torch.no_grad()
    def begin_as(self, patches: nn.Conv3d, reference: Tensor) -> None:
        """Takes a patch embedding of the transformer, and what it adds to a reference frame's
        tokens [dim], as the coarse branch.
        """
        self.coarse.weight.copy_(patches.weight[:, :, 0])
        cast(Tensor, self.coarse.bias).copy_(cast(Tensor, patches.bias) + reference)
