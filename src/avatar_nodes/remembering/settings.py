"""Settings of the memory node. Nothing here needs torch."""

from __future__ import annotations

from pydantic import Field

from avatar_nodes.profile.settings import NodeSettings, key
from avatar_nodes.profile.visual_memory import MemorySection


class MemorySettings(MemorySection, NodeSettings):
    """Section `memory` of the profile, and the model whose compressor it is."""

    enabled: bool = Field(default=True, exclude=True)
    checkpoint: str = key("model.checkpoint")
    past_blocks: int = key("model.past_blocks")
