"""Learns how a chat server wants to be asked: what it refuses is changed or left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from avatar_nodes.mind.chat_contract import Message

# What servers answer that do not know a field of the request, without naming it.
_REFUSALS = (400, 415, 422, 501)
# What has nothing to do with the fields of a request.
_OTHER_REASONS = (401, 403, 408, 429, 502, 503, 504)
_LONGEST = 4000

_FORMAT = re.compile(
    r"response.?format|json.?(schema|object|mode)|structured.?output|guided|grammar", re.IGNORECASE
)
_TOKENS = re.compile(r"max_(completion_|new_)?tokens", re.IGNORECASE)
_SYSTEM = re.compile(
    r"\bsystem\b.{0,40}\b(role|message|prompt|instruction)|\brole\b.{0,60}\bsystem\b"
    r"|\b(developer|system) instruction|roles must alternate|messages\[0\]",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Dialect:
    """How one server is asked: first with everything, then as its refusals allow.

    `formats`: how the answer's form is asked for, at best first; the last is not at all.
    `limit`: the name of the parameter for the longest answer; empty: none.
    """

    formats: tuple[dict[str, Any], ...]
    limit: str = "max_tokens"
    temperature: bool = True
    system: bool = True
    stream: bool = True

    def parameters(self, *, max_tokens: int, temperature: float) -> dict[str, Any]:
        """The request's fields but for model and messages."""
        fields: dict[str, Any] = {"stream": self.stream, **self.formats[0]}
        if self.limit:
            fields[self.limit] = max_tokens
        if self.temperature:
            fields["temperature"] = temperature
        return fields

    def messages(self, messages: Sequence[Message]) -> list[Message]:
        """The conversation; without a system role its text goes before the visitor's first."""
        if self.system or len(messages) < 2:
            return list(messages)
        system, first, *others = messages
        return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *others]

    def after_refusal(self, status: int, body: object) -> Dialect | None:
        """How to ask next; None: the refusal has another reason."""
        if status in _OTHER_REASONS:
            return None
        named = "\n".join(_named(body))[:_LONGEST]
        without_format = replace(self, formats=self.formats[1:]) if len(self.formats) > 1 else None
        if _FORMAT.search(named) and without_format:
            return without_format
        if _TOKENS.search(named) and self.limit:
            renamed = "max_completion_tokens" if self.limit == "max_tokens" else ""
            return replace(self, limit=renamed)
        if re.search(r"temperature", named, re.IGNORECASE) and self.temperature:
            return replace(self, temperature=False)
        if _SYSTEM.search(named) and self.system:
            return replace(self, system=False)
        if re.search(r"\bstream(ing)?\b", named, re.IGNORECASE) and self.stream:
            return replace(self, stream=False)
        return without_format if status in _REFUSALS else None


def answer_formats(schema: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The answer by its JSON schema, as any JSON object, or as it comes."""
    named = {"name": "answer", "schema": schema, "strict": True}
    return (
        {"response_format": {"type": "json_schema", "json_schema": named}},
        {"response_format": {"type": "json_object"}},
        {},
    )


def _named(value: object) -> Iterator[str]:
    """The words of an error; `input` repeats the request, and proxies wrap the error of another."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in ("input", "ctx", "url"):
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)
    elif isinstance(value, str):
        yield value
