"""Builds visual memory from its settings."""

from __future__ import annotations

from avatar_nodes.model.checkpoint import load_compressor
from avatar_nodes.model.device import AssemblyError, checked_device
from avatar_nodes.model.read_config import read_config
from avatar_nodes.profile.visual_memory import MemorySection
from avatar_nodes.remembering.frame_features import FrameFeatures, PooledLatents, Siglip2Features
from avatar_nodes.remembering.key_frames import KeyFrameRules
from avatar_nodes.remembering.memory_stage import MemoryStage
from avatar_nodes.remembering.settings import MemorySettings


def build_memory(settings: MemorySettings) -> MemoryStage:
    """Visual memory with a checkpoint's compressor.

    Raises:
        CheckpointError, AssemblyError, FrameFeaturesError: what does not fit, in one line.
    """
    compressor = load_compressor(settings.checkpoint)
    config = read_config(settings.checkpoint)
    assert config.memory is not None and config.memory_shape is not None
    reach = max(settings.past_blocks + 1, config.memory.lag)
    if settings.lag > reach:
        raise AssemblyError(
            f"memory.lag: at most {reach}, got {settings.lag}: a block would be neither in memory"
            f" nor one of the {settings.past_blocks} past blocks, and {settings.checkpoint} was"
            f" trained with a lag of {config.memory.lag}"
        )
    return MemoryStage(
        compressor.to(checked_device(settings.device)),
        frame_features(
            settings.features,
            frames_per_latent=config.timing.frames_per_latent,
            device=settings.device,
        ),
        rules=key_frame_rules(settings, trained=config.memory.long),
        short=config.memory.short if settings.short < 0 else settings.short,
        lag=settings.lag,
        latent_shape=config.block_shape,
        block_frames=config.timing.frames_per_block,
        frame_shape=config.memory_shape,
    )


def key_frame_rules(settings: MemorySection, *, trained: int) -> KeyFrameRules:
    """How the bank chooses; `trained`: key frames that the model was trained with."""
    return KeyFrameRules(
        capacity=trained if settings.long < 0 else settings.long,
        policy=settings.selection,
        gate=settings.gate if settings.gated else None,
        half_life=settings.half_life or None,
        seed=settings.seed,
    )


def frame_features(name: str, *, frames_per_latent: int = 4, device: str = "cpu") -> FrameFeatures:
    """`latents`, or the folder of a SigLIP 2 model. Raises AssemblyError, FrameFeaturesError."""
    if name == "latents":
        return PooledLatents()
    return Siglip2Features(name, frames_per_latent=frames_per_latent, device=checked_device(device))
