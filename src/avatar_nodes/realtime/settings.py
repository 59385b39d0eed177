"""Settings of the realtime node. Nothing here needs torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.realtime import RealtimeSection
from avatar_nodes.profile.settings import NodeSettings, key


class RealtimeSettings(RealtimeSection, NodeSettings):
    """Section `realtime` of the profile, and what listener, reasoner and voice would know."""

    enabled: bool = Field(default=True, exclude=True)
    persona: str = key("reasoner.persona")
    dialogue_turns: int = key("reasoner.dialogue_turns")
    forget_after_s: float = key("reasoner.forget_after_s")
    barge_in: bool = key("conversation.barge_in")
    echo: Literal["aec", "gate", "none"] = key("listener.echo")
    echo_delay_s: float = key("listener.echo_delay_s")
    echo_tail_s: float = key("listener.echo_tail_s")
    gate_margin_db: float = key("listener.gate_margin_db")
    activity_s: float = key("listener.activity_s")
    lead_s: float = key("voice.lead_s")
    sample_rate: int = key("audio.sample_rate")
    chunk_samples: int = Field(
        default=640, ge=1, le=1 << 20, description="Samples of a message at most."
    )
