"""What a server says is read in both spellings; what is no event is refused, and harms nobody."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avatar_nodes.realtime import server_events as told
from avatar_nodes.realtime.server_events import _READERS, ServerEventError, read_event


def read(**event: Any) -> told.ServerEvent | None:
    return read_event(json.dumps(event))


@pytest.mark.parametrize("kind", ["response.audio.delta", "response.output_audio.delta"])
def test_sound_in_either_spelling(kind: str) -> None:
    delta = base64.b64encode(b"\1\2\3").decode()
    event = read(type=kind, response_id="r", item_id="i", content_index=1, delta=delta)
    assert event == told.AudioDelta("r", "i", 1, b"\1\2\3")


@pytest.mark.parametrize("kind", ["audio_transcript", "output_audio_transcript"])
def test_text_in_either_spelling(kind: str) -> None:
    event = read(type=f"response.{kind}.delta", response_id="r", delta="Hello")
    assert event == told.OutputText("r", "Hello")


def test_a_session_tells_its_dialect() -> None:
    before = read(type="session.created", session={"modalities": ["audio"]})
    assert before == told.SessionCreated("beta")
    since = read(type="session.created", session={"type": "realtime", "audio": {}})
    assert since == read(type="session.created") == told.SessionCreated("ga")


def test_what_the_visitor_does() -> None:
    speech = "input_audio_buffer.speech_"
    started = read(type=f"{speech}started", item_id="i", audio_start_ms=120)
    assert started == told.SpeechStarted("i", 120)
    assert read(type=f"{speech}stopped", item_id="i") == told.SpeechStopped("i", None)
    text = "conversation.item.input_audio_transcription"
    assert read(type=f"{text}.delta", item_id="i", delta="wh") == told.InputText("i", "wh", False)
    final = read(type=f"{text}.completed", item_id="i", transcript="who")
    assert final == told.InputText("i", "who", True)
    failed = read(type=f"{text}.failed", item_id="i", error={"message": "x"})
    assert failed == told.InputText("i", "", True)


def test_how_an_answer_ends() -> None:
    done = {"id": "r", "status": "completed"}
    assert read(type="response.done", response=done) == told.ResponseDone("r", "")
    failed = {"id": "r", "status": "failed", "status_details": {"error": {"message": "no quota"}}}
    assert read(type="response.done", response=failed) == told.ResponseDone("r", "failed: no quota")
    cut = {"id": "r", "status": "incomplete", "status_details": {"reason": "max_output_tokens"}}
    ended = read(type="response.done", response=cut)
    assert ended == told.ResponseDone("r", "incomplete: max_output_tokens")


def test_an_error_names_the_event_that_it_refuses() -> None:
    error = {"type": "invalid_request_error", "message": "no\nsuch voice", "event_id": "session"}
    refused = told.ServerError("invalid_request_error", "no such voice", "session")
    assert read(type="error", error=error) == refused
    assert read(type="error", error="words") == told.ServerError("", "", "")


@pytest.mark.parametrize(
    "message",
    ["", "words", "[]", "1", "{}", '{"type": 1}', b"\xff\xfe", "[" * 100_000, '{"a":' * 100_000,
     '{"type": "response.audio.delta", "delta": "%%%"}',
     '{"type": "response.audio.delta", "delta": "AAA"}',
     '{"type": "response.audio.delta", "delta": "\\ud800"}'],
)  # fmt: skip
def test_what_is_no_event_is_refused(message: str | bytes) -> None:
    with pytest.raises(ServerEventError) as refused:
        read_event(message)
    assert "\n" not in str(refused.value)


def test_what_nobody_knows_is_passed_over() -> None:
    assert read(type="response.feelings.delta", delta="glad") is None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_names = (
    "item_id", "delta", "transcript", "response", "response_id", "session", "error", "metadata",
    "audio_start_ms", "audio_end_ms", "content_index", "id", "status", "status_details",
)  # fmt: skip
_fields = st.dictionaries(st.sampled_from(_names), _json, max_size=6)


@given(kind=st.sampled_from(sorted(_READERS)), fields=_fields, inner=_fields)
def test_whatever_an_event_holds_it_is_read_or_refused(
    kind: str, fields: dict[str, Any], inner: dict[str, Any]
) -> None:
    for holds in (fields, {**fields, "response": inner, "error": inner}):
        try:
            read_event(json.dumps({**holds, "type": kind}))
        except ServerEventError:
            assert kind.endswith("audio.delta")
