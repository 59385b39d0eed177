"""Framepack: the latents of the past as few tokens, coarser the older they are (Wan2.2-S2V)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.rope import grid_positions

LATENTS = 19
"""Past latent frames used: 16 at 4x, 2 at 2x, 1 at 1x."""


def _spaced(points: int, extent: int) -> Tensor:
    """`points` integers evenly from 0 to extent - 1 inclusive, truncated; a single point is 0."""
    return torch.linspace(0, extent - 1, points, dtype=torch.float64).long()


class FramePacker(nn.Module):
    """`frame_packer` of the checkpoint."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(channels, dim, (1, 2, 2), stride=(1, 2, 2))
        self.proj_2x = nn.Conv3d(channels, dim, (2, 4, 4), stride=(2, 4, 4))
        self.proj_4x = nn.Conv3d(channels, dim, (4, 8, 8), stride=(4, 8, 8))

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """motion [B, C, frames, H, W], oldest first -> tokens [B, S, dim], positions [S, 3].

        Fewer than 19 frames are preceded by zeros; of more, the last 19 count.
        """
        motion = F.pad(motion, (0, 0, 0, 0, max(0, LATENTS - motion.shape[2]), 0))[:, :, -LATENTS:]
        rows, columns = motion.shape[3] // 2, motion.shape[4] // 2
        oldest, middle, newest = motion.split([16, 2, 1], dim=2)
        tokens, positions = [], []
        for project, latents, start in (
            (self.proj, newest, -1), (self.proj_2x, middle, -3), (self.proj_4x, oldest, -LATENTS),
        ):  # fmt: skip
            packed = project(latents)
            times, height, width = packed.shape[2:]
            tokens.append(packed.flatten(2).transpose(1, 2))
            where = grid_positions(range(times), height, width)
            axes = (
                _spaced(times, latents.shape[2]) + start,
                _spaced(height, rows),
                _spaced(width, columns),
            )
            positions.append(torch.stack([axis[where[:, i]] for i, axis in enumerate(axes)], dim=1))
        return torch.cat(tokens, dim=1), torch.cat(positions)
