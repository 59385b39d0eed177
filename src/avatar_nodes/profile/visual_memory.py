"""The section of visual memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import Device, Section


class MemorySection(Section):
    """What the avatar remembers of its own pictures, beyond its past blocks."""

    enabled: bool = Field(
        default=False,
        description="Run the memory node. The checkpoint must have a compressor (`memory` in its"
        " `config.json`).",
    )
    short: int = Field(
        default=-1,
        ge=-1,
        le=1024,
        description="Latent frames in short memory; -1: as trained, 0: none.",
    )
    long: int = Field(
        default=-1,
        ge=-1,
        le=1024,
        description="Key frames in long memory; -1: as trained, 0: none.",
    )
    lag: int = Field(
        default=4,
        ge=1,
        le=12,
        description="Blocks by which memory is behind a block. Below the blocks in flight it would"
        " hold them up.",
    )
    features: str = Field(
        default="latents",
        description="What key frames are told apart by: `latents`, or the folder of a SigLIP 2"
        " model.",
    )
    selection: Literal["diverse", "random"] = Field(
        default="diverse",
        description="Key frames unlike each other (DKFS), or (ablation) drawn by lot.",
    )
    gate: float = Field(
        default=0.3,
        ge=-1.0,
        le=1.0,
        description="Least cosine of a key frame's features and the reference's.",
    )
    gated: bool = Field(
        default=True, description="`false` (ablation): corrupted frames may become key frames."
    )
    half_life: float = Field(
        default=600.0,
        ge=0.0,
        le=1e6,
        description="Refused candidates after which a threshold has come half-way down; 0: never.",
    )
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Seed of the selection by lot.")
    device: Device = Field(
        default="cpu",
        description="Device of the compressor: `cpu`, `cuda` or `cuda:N`.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")
