"""Reads the transformer's configuration from a checkpoint folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from avatar_nodes.model.dit_config import DiTConfig, ModelConfigError
from avatar_nodes.model.tensor_files import CheckpointError
from avatar_nodes.model.wan_folder import SPATIAL_STRIDE, is_published_wan


def read_config(checkpoint: str | Path, *, size: tuple[int, int] | None = None) -> DiTConfig:
    """The transformer's configuration: latent shape, window, widths.

    size: width and height that a published Wan model, which is of no one size, is to make.

    Raises:
        CheckpointError: there is none, or none that can be built.
    """
    try:
        config = DiTConfig.read(Path(checkpoint) / "config.json")
        return replace(config, **sized(checkpoint, config.in_dim, size))
    except ModelConfigError as error:
        raise CheckpointError(str(error)) from None


def sized(checkpoint: str | Path, channels: int, size: tuple[int, int] | None) -> dict[str, Any]:
    """The field of the configuration that follows from the size of the pictures."""
    if size is None or not is_published_wan(checkpoint):
        return {}
    width, height = size
    return {"latent_shape": (channels, height // SPATIAL_STRIDE, width // SPATIAL_STRIDE)}
