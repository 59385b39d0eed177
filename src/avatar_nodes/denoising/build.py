"""Builds a denoising stage from its settings."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from avatar_nodes.block.schedule import Schedule
from avatar_nodes.denoising.recorded_call import call_recorder_for
from avatar_nodes.denoising.settings import DenoiserSettings
from avatar_nodes.denoising.stage import Stage
from avatar_nodes.denoising.warm_up import warm_up
from avatar_nodes.model.checkpoint import load_served
from avatar_nodes.model.device import DTYPES, AssemblyError, checked_device
from avatar_nodes.model.dit import WanS2V
from avatar_nodes.model.lora import LoraFile
from avatar_nodes.model.offload import OffloadError
from avatar_nodes.model.read_config import read_config, sized


def build_stage(settings: DenoiserSettings) -> Stage:
    """A denoising stage; stages of one process on the same device share one model.

    What is offloaded is this stage's alone. Compiling and recording are done before this returns,
    and may take minutes; on a CPU, what is recorded is made again from the same buffers.

    Raises:
        CheckpointError, AssemblyError, ScheduleError, StageError: what does not fit, in one line.
    """
    adapter = (settings.lora, settings.lora_scale) if settings.lora else None
    load = _shared_model if not settings.offload_layers else _load_model  # by one thread alone
    model = load(
        Path(settings.checkpoint).resolve(), settings.dtype, checked_device(settings.device),
        (settings.width, settings.height), adapter, settings.float8, settings.offload_layers,
    )  # fmt: skip
    device = torch.device(settings.device)
    stage = Stage(
        model, Schedule(settings.sigmas), settings.steps, past_blocks=settings.past_blocks,
        rolling_rope=settings.rolling_rope, nearest_sink=settings.nearest_sink,
        motion_tokens=settings.motion_tokens, kv_cache=settings.kv_cache,
        switch_max_sigma=settings.switch_max_sigma,
        call_recorder=call_recorder_for(device) if settings.cuda_graphs else None,
    )  # fmt: skip
    if settings.compile:
        model.compile_serving()
    if settings.compile or settings.cuda_graphs:
        warm_up(stage, model.config, settings.past_blocks, switches=settings.cache_switch)
    return stage


def _load_model(
    checkpoint: Path, dtype: str, device: str, size: tuple[int, int],
    lora: tuple[str, float] | None, float8: bool, offload_layers: int,
) -> WanS2V:  # fmt: skip
    shape = sized(checkpoint, read_config(checkpoint).in_dim, size)
    adapter = None if lora is None else LoraFile(checkpoint / lora[0], scale=lora[1])
    try:
        return load_served(
            checkpoint, dtype=DTYPES[dtype], device=device, lora=adapter, float8=float8,
            offload_layers=offload_layers, **shape,
        )  # fmt: skip
    except OffloadError as error:
        raise AssemblyError(f"{checkpoint}: {error}") from None


_shared_model = lru_cache(maxsize=4)(_load_model)
