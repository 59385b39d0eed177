"""What a Realtime server says, of the events that matter here; in both spellings of its audio."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Dialect = Literal["ga", "beta"]
"""How a session is described: as since OpenAI's general release, or as before it."""


class ServerEventError(ValueError):
    """No event of the protocol; one line."""


@dataclass(frozen=True)
class SessionCreated:
    """The connection has a session."""

    dialect: Dialect


@dataclass(frozen=True)
class SessionUpdated:
    """The server has taken the description of the session."""


@dataclass(frozen=True)
class SpeechStarted:
    """The visitor begins to speak."""

    item: str
    at_ms: int | None
    """Since the first sound of the session; None: the server does not say."""


@dataclass(frozen=True)
class SpeechStopped:
    """The visitor is silent; what he said is an item of the conversation."""

    item: str
    at_ms: int | None


@dataclass(frozen=True)
class InputText:
    """What the visitor said: a further piece, or (final) all of it."""

    item: str
    text: str
    is_final: bool


@dataclass(frozen=True)
class ResponseCreated:
    """An answer begins."""

    response: str
    tag: str
    """That of the request (see `client_events.create_response`); empty: nobody asked, or the server
    keeps no tags."""


@dataclass(frozen=True)
class AudioDelta:
    """Sound of an answer: 16 bit mono, little endian; it may be cut within a sample."""

    response: str
    item: str
    content_index: int
    data: bytes


@dataclass(frozen=True)
class OutputText:
    """A further piece of what an answer says."""

    response: str
    text: str


@dataclass(frozen=True)
class ResponseDone:
    """An answer is complete, or was broken off."""

    response: str
    problem: str
    """Why there is no more of it; empty: it is complete, or it was cancelled."""


@dataclass(frozen=True)
class ServerError:
    """The server refuses a request, or has failed."""

    code: str
    message: str
    event: str
    """Id of the client's event that is refused; empty: none, or the server does not say."""


ServerEvent = (
    SessionCreated | SessionUpdated | SpeechStarted | SpeechStopped | InputText | ResponseCreated
    | AudioDelta | OutputText | ResponseDone | ServerError
)  # fmt: skip


def read_event(message: str | bytes) -> ServerEvent | None:
    """The event in a message; None: one that does not matter here, known or not.

    Raises:
        ServerEventError: no JSON object with a `type`, or sound that is no base64.
    """
    try:
        event = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise ServerEventError(f"no JSON: {type(error).__name__}") from None
    kind = event.get("type") if isinstance(event, dict) else None
    if not isinstance(kind, str):
        raise ServerEventError("an event without a type")
    reader = _READERS.get(kind)
    return None if reader is None else reader(event)


def _session_created(event: Mapping[str, Any]) -> SessionCreated:
    session = _object(event, "session")
    before = "input_audio_format" in session or "modalities" in session
    return SessionCreated("beta" if before else "ga")


def _speech_started(event: Mapping[str, Any]) -> SpeechStarted:
    return SpeechStarted(_text(event, "item_id"), _milliseconds(event, "audio_start_ms"))


def _speech_stopped(event: Mapping[str, Any]) -> SpeechStopped:
    return SpeechStopped(_text(event, "item_id"), _milliseconds(event, "audio_end_ms"))


def _input_delta(event: Mapping[str, Any]) -> InputText:
    return InputText(_text(event, "item_id"), _text(event, "delta"), is_final=False)


def _input_text(event: Mapping[str, Any]) -> InputText:
    """Empty where the transcription failed."""
    return InputText(_text(event, "item_id"), _text(event, "transcript"), is_final=True)


def _response_created(event: Mapping[str, Any]) -> ResponseCreated:
    response = _object(event, "response")
    tag = _text(_object(response, "metadata"), "tag")
    return ResponseCreated(_text(response, "id"), tag)


def _audio_delta(event: Mapping[str, Any]) -> AudioDelta:
    try:
        data = base64.b64decode(_text(event, "delta"), validate=True)
    except (binascii.Error, ValueError):
        raise ServerEventError("sound that is no base64") from None
    index = _milliseconds(event, "content_index") or 0
    return AudioDelta(_text(event, "response_id"), _text(event, "item_id"), index, data)


def _output_text(event: Mapping[str, Any]) -> OutputText:
    return OutputText(_text(event, "response_id"), _text(event, "delta"))


def _response_done(event: Mapping[str, Any]) -> ResponseDone:
    response = _object(event, "response")
    status = _text(response, "status")
    if status in ("completed", "cancelled", ""):
        return ResponseDone(_text(response, "id"), "")
    details = _object(response, "status_details")
    reason = _text(_object(details, "error"), "message") or _text(details, "reason")
    return ResponseDone(_text(response, "id"), f"{status}: {reason}" if reason else status)


def _error(event: Mapping[str, Any]) -> ServerError:
    error = _object(event, "error")
    message = " ".join(_text(error, "message").split())
    code = _text(error, "code") or _text(error, "type")
    return ServerError(code, message, _text(error, "event_id"))


_READERS: dict[str, Callable[[Mapping[str, Any]], ServerEvent]] = {
    "session.created": _session_created,
    "session.updated": lambda event: SessionUpdated(),
    "input_audio_buffer.speech_started": _speech_started,
    "input_audio_buffer.speech_stopped": _speech_stopped,
    "input_audio_buffer.committed": _speech_stopped,
    "conversation.item.input_audio_transcription.delta": _input_delta,
    "conversation.item.input_audio_transcription.completed": _input_text,
    "conversation.item.input_audio_transcription.failed": _input_text,
    "response.created": _response_created,
    "response.audio.delta": _audio_delta,
    "response.output_audio.delta": _audio_delta,
    "response.audio_transcript.delta": _output_text,
    "response.output_audio_transcript.delta": _output_text,
    "response.done": _response_done,
    "error": _error,
}


def _object(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = event.get(key)
    return value if isinstance(value, dict) else {}


def _text(event: Mapping[str, Any], key: str) -> str:
    value = event.get(key)
    return value if isinstance(value, str) else ""


def _milliseconds(event: Mapping[str, Any], key: str) -> int | None:
    value = event.get(key)
    return value if isinstance(value, int) and 0 <= value < 1 << 53 else None
