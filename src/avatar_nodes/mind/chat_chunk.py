"""Reads an event of a chat server, whatever it leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_THOUGHTS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
_TEXT_PARTS = ("text", "output_text", "refusal")


@dataclass(frozen=True)
class Chunk:
    """`text`: of the answer. `thought`: the model thinks. `tool`: name of a tool that it begins to
    call; `arguments`: a piece of that call. `finish`: why it is over; empty: it is not."""

    text: str = ""
    thought: bool = False
    tool: str = ""
    arguments: str = ""
    finish: str = ""


def read_chunk(event: object) -> Chunk:
    """The first choice of an event, or of a whole answer."""
    for choice in _list(_dict(event).get("choices")):
        choice = _dict(choice)
        if choice.get("index") in (0, None):
            return _read_choice(choice)
    return Chunk()


def _read_choice(choice: dict[str, Any]) -> Chunk:
    delta = _dict(choice.get("delta"))
    calls = [_dict(_dict(call).get("function")) for call in _list(delta.get("tool_calls"))]
    calls.append(_dict(delta.get("function_call")))
    return Chunk(
        text="".join(_texts(delta.get("content"))) + _text(delta.get("refusal")),
        thought=any(delta.get(key) for key in _THOUGHTS),
        tool=" ".join(filter(None, (_text(call.get("name")) for call in calls))),
        arguments="".join(_text(call.get("arguments")) for call in calls),
        finish=_text(choice.get("finish_reason")),
    )


def whole_answer(body: object) -> object:
    """An answer that came in one piece, as the event that would have brought it."""
    choices = [
        {**_dict(choice), "delta": _dict(choice).get("message")}
        for choice in _list(_dict(body).get("choices"))
    ]
    return {"choices": choices}


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in _list(content):
        part = _dict(part)
        if part.get("type") in _TEXT_PARTS:
            yield _text(part.get("text"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
