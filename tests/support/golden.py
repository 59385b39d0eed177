"""Where the golden tensors of the public implementation are."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parents[1] / "data" / "wan_s2v"


def load(name: str) -> dict[str, Tensor]:
    """Tensors of `<name>.safetensors`."""
    return load_file(FOLDER / f"{name}.safetensors")
