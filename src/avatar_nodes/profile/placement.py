"""Section `placement` of the profile: which node runs on which device, with how many threads."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from avatar_nodes.profile.section import Device, Section, Steps


class DenoiserPlacement(Section):
    """One denoiser node: the steps, the device and the threads that it owns."""

    steps: Steps = Field(
        min_length=1,
        description="Denoising steps of this node, 0 the noisiest. All denoisers together take"
        " every step once, in order.",
    )
    device: Device = Field(
        default="cpu",
        description="Device: `cpu`, `cuda` or `cuda:N`.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")


class DecoderPlacement(Section):
    """Where the video decoder runs."""

    device: Device = Field(
        default="cpu",
        description="Device: `cpu`, `cuda` or `cuda:N`.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")


class ConductorPlacement(Section):
    """Where the conductor's models run: those that hear the sound and read the prompts."""

    audio_device: Device = Field(
        default="cpu",
        description="Device of the audio features (wav2vec): `cpu`, `cuda` or `cuda:N`.",
    )
    text_device: Device = Field(
        default="cpu",
        description="Device of the text encoder (umT5): `cpu`, `cuda` or `cuda:N`.",
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for their arithmetic.")


class PlacementSection(Section):
    """Which node runs where."""

    denoisers: list[DenoiserPlacement] = Field(
        min_length=1, description="One entry for each denoiser node, in the order of the steps."
    )
    decoder: DecoderPlacement = Field(
        default_factory=DecoderPlacement, description="Device and threads of the decoder."
    )
    conductor: ConductorPlacement = Field(
        default_factory=ConductorPlacement,
        description="Devices and threads of the conductor's models.",
    )
    processes: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")],
        Annotated[list[str], Field(min_length=1)],
    ] = Field(
        default_factory=dict,
        description="Processes that several nodes share: process name to node names (`microphone`,"
        " `conductor`, `denoiser_1`, ..., `decoder`, `presenter`, `recorder`, `archive`). A node"
        " not named here has a process of its own.",
    )
