"""Chooses the attention kernels of a GPU that are tried, and their order."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

KERNELS = {
    "cuDNN": SDPBackend.CUDNN_ATTENTION,
    "FlashAttention": SDPBackend.FLASH_ATTENTION,
    "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
    "plain": SDPBackend.MATH,
}
"""The first that takes a shape and its dtype is used: on Hopper cuDNN's is known as the fastest
for 16 bits and heads of 128; PyTorch itself begins with FlashAttention 2."""


def fastest_attention(device: torch.device) -> AbstractContextManager[None]:
    """Attention within this context is computed by the first of `KERNELS` that can; on a CPU by the
    only one that it has.
    """
    if device.type != "cuda":
        return nullcontext()
    return sdpa_kernel(list(KERNELS.values()), set_priority=True)


def only_attention(kernel: str) -> AbstractContextManager[None]:
    """Attention within this context is computed by this one of `KERNELS`, or fails."""
    return sdpa_kernel(KERNELS[kernel])
