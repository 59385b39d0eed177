"""Checks that each GPU has the memory that a profile takes."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping

from avatar_nodes.machine.finding import Finding

_REMEDY = (
    "choose a profile for smaller GPUs, or model.float8, model.offload_layers, smaller pictures;"
    " `avatar profile NAME --memory` shows what takes it"
)


def check_memory(needed: Mapping[str, int]) -> Iterator[Finding]:
    """needed: bytes by device; those of GPUs are looked at."""
    for device, size in needed.items():
        if device.startswith("cuda"):
            yield memory_finding(device, size, _total(device))


def memory_finding(device: str, needed: int, total: int | None) -> Finding:
    """total: what the device has; None: it is not here, and only what is needed is said."""
    found = f"{needed / 1e9:.1f} GB are needed, computed"
    if total is not None:
        found += f"; it has {total / 1e9:.1f}"
    fits = total is None or needed < total
    return Finding(f"memory {device}", fits, found, _REMEDY, False)


def _total(device: str) -> int | None:
    torch = importlib.import_module("torch")
    index = int(device.partition(":")[2] or 0)
    if not torch.cuda.is_available() or index >= torch.cuda.device_count():
        return None
    return int(torch.cuda.get_device_properties(index).total_memory)
