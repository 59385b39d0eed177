"""The profile's section on a speech-to-speech server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from avatar_nodes.profile.section import Section


class RealtimeSection(Section):
    """A speech-to-speech server in the place of listener, reasoner and voice."""

    enabled: bool = Field(
        default=False,
        description="A server of the OpenAI Realtime kind hears, answers and speaks (mode"
        " converse).",
    )
    url: str = Field(
        default="wss://api.openai.com/v1/realtime",
        pattern=r"^wss?://\S+$",
        description="Address of the server.",
    )
    model: str = Field(default="gpt-realtime", description="The server's name of the model.")
    voice: str = Field(default="", description="The server's name of the voice; empty: its own.")
    api_key_env: str = Field(
        default="", description="Name of the environment variable that holds the server's key."
    )
    transcription: str = Field(
        default="whisper-1",
        description="Model by which the server writes down what the visitor said; empty: it does"
        " not.",
    )
    turn_detection: Literal["server_vad", "semantic_vad"] = Field(
        default="server_vad",
        description="How the server tells the end of a turn: by silence, or by the sense.",
    )
    vad_threshold: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Of server_vad; higher: only louder speech."
    )
    silence_s: float = Field(
        default=0.5, ge=0.1, le=5.0, description="Of server_vad: silence that ends a turn [s]."
    )
    timeout_s: float = Field(
        default=10.0, ge=0.5, le=120.0, description="Wait for a connection [s]."
    )
