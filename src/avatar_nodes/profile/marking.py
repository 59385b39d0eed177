"""The profile's section on marks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import Section


class MarkingSection(Section):
    """Marks of what a machine made (docs/marking.md)."""

    label: bool = Field(
        default=False, description="Visible label on the pictures of all topics (`image_raw`)."
    )
    watermark: bool = Field(
        default=False, description="Invisible watermark in the pictures of all topics."
    )
    file_label: bool = Field(default=False, description="Visible label in the video of `--out`.")
    file_watermark: bool = Field(
        default=True, description="Invisible watermark in the video of `--out`."
    )
    text: str = Field(
        default="AI generated", min_length=1, max_length=40, description="Words of the label."
    )
    corner: Literal["top_left", "top_right", "bottom_left", "bottom_right"] = Field(
        default="bottom_right", description="Where the label is."
    )
    number: int = Field(
        default=0,
        ge=0,
        le=65535,
        description="Number in the watermark: which avatar or booth it was.",
    )
