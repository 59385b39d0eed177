"""The profile's section on recordings of a live avatar."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import Section

KeptOfVisitors = Literal["nothing", "words", "sound"]


class ArchiveSection(Section):
    """Rolling recordings of a live avatar (docs/recording.md)."""

    enabled: bool = Field(
        default=False, description="Run the archive node (modes puppet and converse)."
    )
    record: bool = Field(
        default=False,
        description="Record from the start; `false`: when it is asked to (`avatar record start`).",
    )
    folder: str = Field(
        default="recordings",
        min_length=1,
        description="Where recordings go. A relative path is one below the folder in which the"
        " avatar is started; `~` is the home folder.",
    )
    file_minutes: float = Field(
        default=10.0,
        gt=0.0,
        le=1440.0,
        description="Length at which a new file begins [min].",
    )
    file_megabytes: int = Field(
        default=500, ge=1, le=1_000_000, description="Size at which a new file begins, in MB."
    )
    keep_megabytes: int = Field(
        default=20_000,
        ge=0,
        le=1_000_000_000,
        description="Size of all recordings above which the oldest go, in MB; 0: no limit.",
    )
    keep_files: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="Number of files above which the oldest are removed; 0: no limit.",
    )
    keep_days: float = Field(
        default=0.0,
        ge=0.0,
        le=36_500.0,
        description="Days after which a recording is removed; 0: no limit.",
    )
    free_megabytes: int = Field(
        default=200,
        ge=0,
        le=1_000_000,
        description="Recording ends when less is free on the disk, in MB.",
    )
    crf: int = Field(
        default=23, ge=0, le=51, description="Quality of H.264: 0 best, 18 good, 28 poor."
    )
    label: bool = Field(default=True, description="Visible label on recorded pictures.")
    watermark: bool = Field(default=True, description="Invisible watermark in recorded pictures.")
    mcap: bool = Field(
        default=False,
        description="Write the graph's messages as well, into an MCAP file beside each MP4.",
    )
    mcap_exclude: list[str] = Field(
        default=[
            "image_raw", "blocks/latent*", "blocks/frames", "blocks/conditioning",
            "blocks/presented", "blocks/epoch", "sink", "memory",
        ],
        description="Topics that are not written: names below the avatar's namespace, `*` for any"
        " text. `image_raw` never is; the pictures of `image_raw/compressed` are marked, too.",
    )  # fmt: skip
    of_visitors: KeptOfVisitors = Field(
        default="words",
        description="What the MCAP file keeps of visitors: `nothing`, what they say and write as"
        " text (`words`), or their voices as well (`sound`). The page says so while it records.",
    )
