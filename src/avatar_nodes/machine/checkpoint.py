"""The checkpoint that a profile names: every part of it loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from avatar_nodes.machine.finding import Finding

_REMEDY = "clone or install the package whole, or name another folder in model.checkpoint"


def check_checkpoint(folder: Path) -> Finding:
    """Load transformer, text encoder and video decoder, each tensor checked for name and shape."""
    from avatar_nodes.model.checkpoint import CheckpointError, load_checkpoint
    from avatar_nodes.model.text import TextEncoder
    from avatar_nodes.model.tiny_vae import load_vae

    if not folder.is_dir():
        return Finding("checkpoint", False, f"{folder} is not there", _REMEDY)
    parts: list[Callable[[], object]] = []
    try:
        model = load_checkpoint(folder)
        parts.append(
            lambda: TextEncoder.load(folder / "text_encoder", text_len=model.config.text_len)
        )
        parts.append(lambda: load_vae(folder / "vae"))
        for part in parts:
            part()
    except CheckpointError as error:
        return Finding("checkpoint", False, str(error), _REMEDY)
    size = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    count = sum(parameter.numel() for parameter in model.parameters())
    return Finding(
        "checkpoint", True, f"{folder}: {count / 1e6:.1f} M parameters, {size >> 20} MiB"
    )
