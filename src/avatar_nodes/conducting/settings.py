"""Settings of the conductor and its models. Nothing here needs torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.block.speech_level import ContextColumns, Loudness
from avatar_nodes.profile.conversation import ConversationSection
from avatar_nodes.profile.section import (
    Device,
    DTypeName,
    Mode,
    Pace,
)
from avatar_nodes.profile.settings import NodeSettings, key


class FeatureSettings(NodeSettings):
    """The audio model, and how much sound it hears around a block."""

    checkpoint: str = key("model.checkpoint")
    audio_device: Device = key("placement.conductor.audio_device")
    audio_context_s: float = key("audio.context_s")
    audio_lookahead_s: float = key("audio.lookahead_s")
    audio_loudness: Loudness = key("audio.loudness")
    audio_context_columns: ContextColumns = key("audio.context_columns")


class PromptSettings(NodeSettings):
    """The text encoder of prompts."""

    checkpoint: str = key("model.checkpoint")
    dtype: DTypeName = key("model.dtype")
    text_device: Device = key("placement.conductor.text_device")


class ConductorSettings(FeatureSettings, PromptSettings, ConversationSection, NodeSettings):
    """The stream, its pace and its models; section `conversation` of the profile, and what the
    avatar looks like in each state of one."""

    LIVE = NodeSettings.LIVE | {
        "words_timeout_s", "held_timeout_s", "listening_timeout_s", "thinking_timeout_s",
        "speaking_timeout_s", "heartbeat_timeout_s", "block_timeout_s",
    }  # fmt: skip

    mode: Mode = Field(
        default="puppet",
        description="`puppet`: live and endless; `render`: ends with the sound; `converse`: it"
        " answers.",
    )
    stages: list[str] = Field(
        min_length=1, description="Nodes that must be ready before a block is issued."
    )
    prompt: str = key("stream.prompt")
    seed: int = key("stream.seed")
    first_block: int = key("stream.first_block")
    past_blocks: int = key("model.past_blocks")
    aas_from_block: int = key("model.aas_from_block")
    adaptive_sink: bool = key("model.adaptive_sink")
    motion_tokens: bool = key("model.motion_tokens")
    max_in_flight: int = key("stream.max_in_flight")
    pace: Pace = key("stream.pace")
    margin_s: float = key("stream.margin_s")
    idle: Literal["keep_alive", "hold"] = key("stream.idle")
    heartbeat_timeout_s: float = key("stream.heartbeat_timeout_s")
    block_timeout_s: float = key("stream.block_timeout_s")
    width: int = key("video.width")
    height: int = key("video.height")
    memory_lag: int = Field(
        default=0,
        ge=0,
        le=12,
        description="Blocks by which `memory` is behind a block; 0: there is none.",
    )
    prompt_listening: str = Field(
        default="", description="Prompt while the visitor speaks; empty: `prompt`."
    )
    prompt_thinking: str = Field(
        default="", description="Prompt while the reply is made; empty: `prompt`."
    )
    prompt_speaking: str = Field(
        default="", description="Prompt of a reply without gesture; empty: `prompt`."
    )

    @property
    def own_sink_from_block(self) -> int | None:
        """First block that attends to the sink made of the avatar's own first latent; None: none
        ever does."""
        return self.aas_from_block if self.adaptive_sink else None
