"""What a Realtime server is told, in either of its dialects."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from avatar_nodes.profile.realtime import RealtimeSection
from avatar_nodes.realtime.server_events import Dialect

RATE = 24_000
"""Sample rate of the protocol's 16-bit sound, both ways [Hz]."""

ClientEvent = Mapping[str, Any]
Role = Literal["user", "assistant"]

SESSION_UPDATE = "session"
"""Id of the event that describes the session, by which its refusal is known."""
CANCEL = "cancel"
"""Id of those whose refusal does not matter: what they are about is over already."""


def describe_session(settings: RealtimeSection, instructions: str, dialect: Dialect) -> ClientEvent:
    """What the server is to be: its voice, and when it takes a turn for over."""
    detection: dict[str, Any] = {
        "type": settings.turn_detection, "create_response": True, "interrupt_response": True
    }  # fmt: skip
    if settings.turn_detection == "server_vad":
        detection["threshold"] = settings.vad_threshold
        detection["silence_duration_ms"] = round(settings.silence_s * 1000.0)
    transcription = {"model": settings.transcription} if settings.transcription else None
    voice = {"voice": settings.voice} if settings.voice else {}
    session: dict[str, Any] = {"instructions": instructions}
    if dialect == "ga":
        sound = {"type": "audio/pcm", "rate": RATE}
        hears = {"format": sound, "turn_detection": detection, "transcription": transcription}
        session |= {
            "type": "realtime",
            "output_modalities": ["audio"],
            "audio": {"input": hears, "output": {"format": sound, **voice}},
        }
    else:
        session |= {
            "modalities": ["audio", "text"],
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_transcription": transcription,
            "turn_detection": detection,
            **voice,
        }
    return {"type": "session.update", "event_id": SESSION_UPDATE, "session": session}


def append_sound(samples: np.ndarray) -> ClientEvent:
    """What the visitor says, int16 mono [n] at RATE."""
    data = base64.b64encode(samples.astype("<i2").tobytes()).decode("ascii")
    return {"type": "input_audio_buffer.append", "audio": data}


def add_text(role: Role, text: str, dialect: Dialect) -> ClientEvent:
    """A part of the conversation that was written, or said before this session."""
    said = "output_text" if dialect == "ga" else "text"
    content = {"type": "input_text" if role == "user" else said, "text": text}
    item = {"type": "message", "role": role, "content": [content]}
    return {"type": "conversation.item.create", "event_id": "item", "item": item}


def create_response(tag: str) -> ClientEvent:
    """Let the server answer. The answer bears the tag, where the server keeps it."""
    return {"type": "response.create", "event_id": tag, "response": {"metadata": {"tag": tag}}}


def recite(tag: str, text: str) -> ClientEvent:
    """Let the server say this very text, outside of the conversation."""
    response = {
        "conversation": "none",
        "input": [],
        "instructions": f"Say exactly the following text, word for word, and nothing else:\n{text}",
        "metadata": {"tag": tag},
    }
    return {"type": "response.create", "event_id": tag, "response": response}


def cancel_response(response: str) -> ClientEvent:
    """No more of an answer is wanted."""
    return {"type": "response.cancel", "event_id": CANCEL, "response_id": response}


def truncate(item: str, content_index: int, heard_ms: int) -> ClientEvent:
    """Of this answer only the beginning was heard: the rest is not part of the conversation."""
    return {
        "type": "conversation.item.truncate", "event_id": CANCEL, "item_id": item,
        "content_index": content_index, "audio_end_ms": heard_ms,
    }  # fmt: skip
