"""Where training computes: the GPU if there is one, the CPU otherwise; always in bfloat16."""

from __future__ import annotations

import torch


def training_device() -> torch.device:
    """CUDA's current device, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def mixed_precision(device: torch.device) -> torch.autocast:
    """bfloat16 for what tolerates it.

    Cast weights are not cached: those cast without a graph would be taken where one is wanted.
    """
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
