"""Builds a transformer that begins with another's weights, as far as it has a place for them."""

from __future__ import annotations

from pathlib import Path

import torch

from avatar_nodes.model.checkpoint import CheckpointError, load_checkpoint
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.dit_config import DiTConfig
from avatar_nodes.model.load_tensors import compare_tensors
from avatar_nodes.model.lora import LoraFile


def begun_from(start: Path, config: DiTConfig, *, lora: LoraFile | None = None) -> WanS2V:
    """A model of `config` with a checkpoint's weights, held once; `lora` is merged in. What
    `config` has no place for is left behind (frame packer, memory), and the head where it predicts
    something else.

    Raises CheckpointError if the weights do not fit.
    """
    begun = load_checkpoint(start, lora=lora)
    if (begun.config.prediction, config.prediction) == ("velocity", "sink_difference"):
        begun.predict_sink_difference()
    if begun.config.prediction != config.prediction:
        found, wanted = begun.config.prediction, config.prediction
        raise CheckpointError(f"{start}: predicts {found}, not {wanted}")
    without = {
        "frame_packer.": not config.enable_framepack,
        "memory_compressor.": config.memory is None,
    }
    left_behind = tuple(prefix for prefix, missing in without.items() if missing)
    weights = {n: x for n, x in begun.state_dict().items() if not n.startswith(left_behind)}
    with torch.device("meta"):
        dit = WanS2V(config)
    problems = compare_tensors(dict(dit.state_dict()), weights)
    if problems:
        raise CheckpointError(f"{start}: does not fit this model: {'; '.join(problems)}")
    dit.load_state_dict(weights, assign=True)
    return dit.requires_grad_(True)
