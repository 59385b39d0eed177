"""Turns pydantic's error details into a profile's problems: key, expected, got."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from avatar_nodes.profile.problem import KeyPath, Problem, Said

_EXPECTED = {
    "int_type": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a section (a mapping)",
    "missing": "a value",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number not below {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number not above {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}


def explain(detail: Mapping[str, Any], model: type[BaseModel]) -> Problem:
    """One entry of `ValidationError.errors()` as a problem; `model` has the known keys."""
    kind, context = detail["type"], detail.get("ctx", {})
    path: KeyPath = tuple(part for part in detail["loc"] if part != "[key]")
    got = Said("nothing") if kind == "missing" else detail["input"]
    if kind == "extra_forbidden":
        return Problem(path, _known_keys(path, model), Said("an unknown key"))
    if kind == "value_error":
        expected, _, found = str(context["error"]).partition(", got ")  # of values that disagree
        return Problem(path, _stated(expected), Said(found) if found else got)
    if kind in _EXPECTED:
        return Problem(path, _EXPECTED[kind].format(**context), got)
    return Problem(path, _stated(detail["msg"]), got)


def _stated(message: str) -> str:
    return message.removeprefix("expected ")


def _known_keys(path: KeyPath, model: type[BaseModel]) -> str:
    """The keys allowed where the unknown one stands, the likeliest first when it looks misspelt."""
    section = _section(path[:-1], model)
    keys = list(section.model_fields) if section else []
    close = difflib.get_close_matches(str(path[-1]), keys, n=1)
    return f"{close[0]}" if close else f"one of {', '.join(keys)}"


def _section(path: KeyPath, model: type[BaseModel]) -> type[BaseModel] | None:
    for part in path:
        if isinstance(part, int):
            continue
        found = _models_in(model.model_fields[part].annotation)
        if not found:
            return None
        model = found[0]
    return model


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    inner = getattr(annotation, "__args__", ())
    return [found for argument in inner for found in _models_in(argument)]
