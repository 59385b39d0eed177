"""The sections of a conversation: who answers, and how turns are taken.

The keys are those of the nodes' parameters.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import PositiveSeconds, Section


class ReasonerSection(Section):
    """Who answers."""

    backend: Literal["persona", "transformers", "openai"] = Field(
        default="persona",
        description="`persona`: the answers that an operator wrote. `transformers`: a local chat"
        " model. `openai`: any OpenAI-compatible server.",
    )
    persona: str = Field(
        default="default",
        min_length=1,
        description="Who the avatar is: a shipped persona by name, or a YAML file"
        " (docs/persona.md). Chat models get it as their instruction, and its fallbacks.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="Utterances that the recogniser is less sure of count as not understood.",
    )
    dialogue_turns: int = Field(
        default=8, ge=0, le=100, description="Exchanges that are remembered."
    )
    model: str = Field(
        default="", description="Folder (`transformers`) or server's name (`openai`) of the model."
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?)$",
        description="Where the model of `transformers` runs: `cpu`, `cuda` or `cuda:N`.",
    )
    dtype: str = Field(default="auto", description="Its number format; `auto`: that of its files.")
    constrained: bool = Field(
        default=True, description="`transformers`: allow well-formed answers only."
    )
    base_url: str = Field(
        default="", description="Address of the `openai` server, such as `http://host:8000/v1`."
    )
    api_key_env: str = Field(
        default="", description="Name of the environment variable that holds the server's key."
    )
    max_tokens: int = Field(
        default=256, ge=16, le=8192, description="Longest answer of a chat model."
    )
    temperature: float = Field(
        default=0.6, ge=0.0, le=2.0, description="Of a chat model; 0: always the likeliest word."
    )
    first_token_timeout_s: PositiveSeconds = Field(
        default=5.0, description="Longest wait for a chat model's first word, in seconds."
    )
    stall_timeout_s: PositiveSeconds = Field(
        default=3.0, description="Longest gap within its answer, in seconds."
    )
    reply_timeout_s: PositiveSeconds = Field(
        default=20.0, description="Longest time for a whole answer, in seconds."
    )
    threads: int = Field(default=1, ge=1, le=256, description="CPU threads for its arithmetic.")


class ConversationSection(Section):
    """When turns begin and end."""

    barge_in: bool = Field(
        default=True, description="The visitor may cut a reply short by speaking."
    )
    cache_switch: bool = Field(
        default=True,
        description="A new prompt rebuilds the caches of the past blocks at once"
        " (Cache-Switching); `false`: it flows in with the window.",
    )
    words_timeout_s: float = Field(
        default=1.5,
        ge=0.1,
        le=60.0,
        description="Seconds of silence after which no words will come of what was heard: a held"
        " reply goes on.",
    )
    listening_timeout_s: float = Field(
        default=20.0, ge=1.0, le=600.0, description="Listening without news ends after this time."
    )
    thinking_timeout_s: float = Field(
        default=30.0, ge=1.0, le=600.0, description="A reply that does not come is given up."
    )
    speaking_timeout_s: float = Field(
        default=20.0, ge=1.0, le=600.0, description="A reply that breaks off is over."
    )
