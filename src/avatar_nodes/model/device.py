"""Number formats and devices by the names that settings have for them."""

from __future__ import annotations

import torch

from avatar_nodes.errors.configuration_error import ConfigurationError

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}


class AssemblyError(ConfigurationError):
    """Parts that do not fit together, or a device that is not there; one line."""


def checked_device(name: str) -> str:
    """The same name. Raises AssemblyError: no such device on this machine."""
    try:
        kind, index = torch.device(name).type, torch.device(name).index or 0
    except RuntimeError:
        raise AssemblyError(f"device: expected cpu, cuda or cuda:N, got {name!r}") from None
    if kind == "cuda" and not (torch.cuda.is_available() and index < torch.cuda.device_count()):
        raise AssemblyError(f"device {name}: not on this machine, or torch is without CUDA")
    return name
