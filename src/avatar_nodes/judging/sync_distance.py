"""Sync-C and Sync-D (Chung & Zisserman, "Out of time", 2016) from any pair of embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_SHIFT = 15
"""Frames to either side, as the published evaluation has it."""


@dataclass(frozen=True)
class SyncDistance:
    """Sync-C and Sync-D of a clip: how surely and how closely picture and sound belong together."""

    confidence: float
    """Sync-C: median over the shifts less the smallest distance. Higher is better."""
    distance: float
    """Sync-D: the smallest mean distance. Lower is better."""
    offset: int
    """Shift of the smallest distance in frames; positive: the picture is late."""


def sync_distance(
    video: Tensor, audio: Tensor, *, max_shift: int = MAX_SHIFT, pad: bool = False
) -> SyncDistance:
    """Compare embeddings [windows, D] of the same moments over shifts of +-max_shift frames.

    The mean Euclidean distance at each shift is taken over the moments where both exist; with `pad`
    as the published code does, over all moments with zeros for the sound that does not exist.
    Raises:
        ValueError: shapes differ, or there are no more windows than max_shift.
    """
    if video.shape != audio.shape or video.ndim != 2 or len(video) <= max_shift:
        raise ValueError(
            f"embeddings {list(video.shape)} and {list(audio.shape)} cannot be compared over"
            f" +-{max_shift} shifts"
        )
    count = len(video)
    padded = torch.nn.functional.pad(audio, (0, 0, max_shift, max_shift))
    means = []
    for shift in range(-max_shift, max_shift + 1):
        other = padded[max_shift + shift : max_shift + shift + count]
        distances = (video - other).square().sum(dim=1).sqrt()
        if not pad:
            distances = distances[max(0, -shift) : count - max(0, shift)]
        means.append(distances.mean())
    curve = torch.stack(means)
    smallest, index = curve.min(dim=0)
    # A late picture shows at frame n the sound of an earlier n + shift, hence the sign.
    return SyncDistance(float(curve.median() - smallest), float(smallest), max_shift - int(index))
