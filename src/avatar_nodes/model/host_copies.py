"""Tensors between the host, where messages are, and a stage's device."""

from __future__ import annotations

import torch
from torch import Tensor

_Kind = tuple[torch.Size, torch.dtype]


class HostCopies:
    """Copies from and to one device.

    For a GPU they go through page-locked buffers, one for each shape and direction, that are used
    again and again: such a copy runs at the full speed of the bus, and the way there does not stop
    the host. What comes back is memory of the caller's own. For a CPU nothing is copied.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._on_host = device.type == "cpu"
        self._there: dict[_Kind, tuple[Tensor, torch.cuda.Event]] = {}
        self._back: dict[_Kind, Tensor] = {}

    def to_device(self, x: Tensor) -> Tensor:
        """x, of the host, on the device; on a CPU it is x itself. x may be changed or let go at
        once, but on a CPU.
        """
        if self._on_host:
            return x
        kind = (x.shape, x.dtype)
        if kind in self._there:
            buffer, copied = self._there[kind]
            copied.synchronize()  # long since: the copy of the block before
        else:
            buffer, copied = self._locked(x), torch.cuda.Event()
            self._there[kind] = (buffer, copied)
        buffer.copy_(x)
        out = buffer.to(self._device, non_blocking=True)
        copied.record(torch.cuda.current_stream(self._device))
        return out

    def to_host(self, x: Tensor) -> Tensor:
        """x, of the device, on the host, when it has been computed; on a CPU it is x itself."""
        if self._on_host:
            return x
        kind = (x.shape, x.dtype)
        if kind not in self._back:
            self._back[kind] = self._locked(x)
        buffer = self._back[kind].copy_(x, non_blocking=True)
        torch.cuda.current_stream(self._device).synchronize()
        return buffer.clone()

    def _locked(self, like: Tensor) -> Tensor:
        return torch.empty(like.shape, dtype=like.dtype, pin_memory=True)
