"""Framepack: the latents of the past as few tokens, coarser the older they are (Wan2.2-S2V)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from avatar_nodes.model.rope import grid_positions

LATENTS = 19
"""Past latent frames used: 16 at 4x, 2 at 2x, 1 at 1x."""
_BUCKETS = ((1, 1, -1), (2, 2, -3), (16, 4, -LATENTS))
"""Newest first: latent frames, how many of them and of patches each way a token stands for, and the
place of the oldest (two frames at 2x are one token)."""


def motion_positions(rows: int, columns: int) -> Tensor:
    """Positions [S, 3] of the packed tokens, for a grid of patches of a latent frame: times -1 to
    -19, seen from the first frame after them.
    """
    positions = []
    for frames, cells, start in _BUCKETS:
        grid = frames // cells, rows // cells, columns // cells
        where = grid_positions(range(grid[0]), *grid[1:])
        axes = [_spaced(n, of) for n, of in zip(grid, (frames, rows, columns), strict=True)]
        axes[0] += start
        positions.append(torch.stack([axis[where[:, i]] for i, axis in enumerate(axes)], dim=1))
    return torch.cat(positions)


def _spaced(points: int, extent: int) -> Tensor:
    """`points` integers evenly from 0 to extent - 1 inclusive, truncated; a single point is 0."""
    return torch.linspace(0, extent - 1, points, dtype=torch.float64).long()


def motion_tokens(rows: int, columns: int) -> int:
    """How many tokens `motion_positions` has."""
    grids = ((f // n, rows // n, columns // n) for f, n, _ in _BUCKETS)
    return sum(times * height * width for times, height, width in grids)


class FramePacker(nn.Module):
    """`frame_packer` of the checkpoint."""

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(channels, dim, (1, 2, 2), stride=(1, 2, 2))
        self.proj_2x = nn.Conv3d(channels, dim, (2, 4, 4), stride=(2, 4, 4))
        self.proj_4x = nn.Conv3d(channels, dim, (4, 8, 8), stride=(4, 8, 8))

    def forward(self, motion: Tensor) -> tuple[Tensor, Tensor]:
        """motion [B, C, frames, H, W], oldest first -> tokens [B, S, dim], positions [S, 3].

        Fewer than 19 frames are preceded by zeros; of more, the last 19 count. Computed in the
        weights' number format.
        """
        motion = F.pad(motion, (0, 0, 0, 0, max(0, LATENTS - motion.shape[2]), 0))[:, :, -LATENTS:]
        grid = motion.shape[3] // 2, motion.shape[4] // 2
        oldest, middle, newest = motion.to(self.proj.weight.dtype).split([16, 2, 1], dim=2)
        packed = self.proj(newest), self.proj_2x(middle), self.proj_4x(oldest)
        tokens = torch.cat([part.flatten(2).transpose(1, 2) for part in packed], dim=1)
        return tokens, motion_positions(*grid)
