"""What chat servers of several kinds refuse, in their own words: from a request's body to status
and error, or None where they take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Refusal = tuple[int, Any]
_JSON_ONLY = "'response_format.type' must be 'json_schema'"


def _openai_error(message: str, param: str | None) -> Refusal:
    kind = "invalid_request_error"
    return 400, {"error": {"message": message, "type": kind, "param": param, "code": None}}


def _wants_max_completion_tokens(body: dict[str, Any]) -> Refusal | None:
    if "max_tokens" in body:
        return _openai_error(
            "Unsupported parameter: 'max_tokens' is not supported with this model."
            " Use 'max_completion_tokens' instead.",
            "max_tokens",
        )
    return None


def _no_temperature(body: dict[str, Any]) -> Refusal | None:
    if "temperature" in body:
        return _openai_error(
            "Unsupported value: 'temperature' does not support 0.6 with this model."
            " Only the default (1) value is supported.",
            "temperature",
        )
    return None


def _reasoning_model(body: dict[str, Any]) -> Refusal | None:
    """Refuses one thing after the other."""
    if body["messages"][0]["role"] == "system":
        return _openai_error(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            "messages[0].role",
        )
    return _wants_max_completion_tokens(body) or _no_temperature(body)


def _no_system_role(body: dict[str, Any]) -> Refusal | None:
    """A chat template that raises, as of Gemma."""
    if body["messages"][0]["role"] == "system":
        return 400, {"object": "error", "message": "System role not supported", "code": 400}
    return None


def _roles_alternate(body: dict[str, Any]) -> Refusal | None:
    """A chat template that raises, as of the first Mistral; the server answers with its trace."""
    roles = [message["role"] for message in body["messages"]]
    if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        message = "Conversation roles must alternate user/assistant/user/assistant/..."
        return 500, {"error": {"code": 500, "message": message, "type": "server_error"}}
    return None


def _format_of(body: dict[str, Any]) -> str | None:
    kind = body.get("response_format", {}).get("type")
    assert kind is None or isinstance(kind, str)
    return kind


def _no_schema(body: dict[str, Any]) -> Refusal | None:
    if _format_of(body) == "json_schema":
        return _openai_error("This response_format type is unavailable now", None)
    return None


def _no_json_object(body: dict[str, Any]) -> Refusal | None:
    """Knows plain text and schemas, but not ours."""
    if _format_of(body) == "json_schema":
        return 400, {"error": "Invalid schema for response_format 'answer'"}
    if _format_of(body) == "json_object":
        return 400, {"error": _JSON_ONLY}
    return None


def _no_format(body: dict[str, Any]) -> Refusal | None:
    """Pydantic's words, which repeat the whole request."""
    if "response_format" in body:
        detail = {
            "type": "extra_forbidden",
            "loc": ["body", "response_format"],
            "msg": "Extra inputs are not permitted",
            "input": body,
        }
        return 422, {"detail": [detail]}
    return None


def _no_limits(body: dict[str, Any]) -> Refusal | None:
    """Knows neither name of the longest answer."""
    for name in ("max_tokens", "max_completion_tokens"):
        if name in body:
            return 400, {"detail": f"Unrecognized request argument supplied: {name}"}
    return None


def _no_stream(body: dict[str, Any]) -> Refusal | None:
    if body.get("stream"):
        message = "Your organization must be verified to stream this model."
        return _openai_error(message, "stream")
    return None


def _plain_only(body: dict[str, Any]) -> Refusal | None:
    if "response_format" in body:
        return 422, {"error": {"message": "response_format is not supported"}}
    return None


def _refuses_what_is_long(body: dict[str, Any]) -> Refusal | None:
    if "long" in body["messages"][-1]["content"]:
        return 400, {"error": {"message": "the context is too long"}}
    return None


REFUSALS: dict[str, Callable[[dict[str, Any]], Refusal | None]] = {
    "wants_max_completion_tokens": _wants_max_completion_tokens,
    "no_temperature": _no_temperature,
    "reasoning_model": _reasoning_model,
    "no_system_role": _no_system_role,
    "roles_alternate": _roles_alternate,
    "no_schema": _no_schema,
    "no_json_object": _no_json_object,
    "no_format": _no_format,
    "no_limits": _no_limits,
    "no_stream": _no_stream,
    "plain_only": _plain_only,
    "refuses_what_is_long": _refuses_what_is_long,
}
