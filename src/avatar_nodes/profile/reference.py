"""The reference of all profile keys, made from the schema's own descriptions."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from avatar_nodes.profile.schema import Profile

_HEAD = """# Profile reference

Every key that `config/<name>.yaml` may have. This page is printed by `avatar profile --reference`;
a test holds it to the schema. `extends: NAME` takes all values of another profile, shipped or
beside this one, and lays this file's values over them: sections are merged, lists are replaced.
"""

_NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false"}


def reference_markdown() -> str:
    """The whole reference as Markdown: one table for each section."""
    parts = [_HEAD]
    for name, field in Profile.model_fields.items():
        parts.append(f"## {name}\n\n{field.description}\n\n{_table(_model_of(field))}")
    return "\n".join(parts)


def _table(section: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, field in _fields(section):
        cells = (f"`{key}`", _value(field), _default(field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _fields(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Keys of a section; those of a section within it follow it, with a dotted name."""
    for key, field in section.model_fields.items():
        yield prefix + key, field
        inner = _inner_model(field.annotation)
        if inner is not None:
            many = "[]" if get_origin(field.annotation) is list else ""
            yield from _fields(inner, f"{prefix}{key}{many}.")


def _model_of(field: FieldInfo) -> type[BaseModel]:
    model = _inner_model(field.annotation)
    assert model is not None
    return model


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is list:
        return _inner_model(get_args(annotation)[0])
    return None


def _value(field: FieldInfo) -> str:
    return _type_name(field.annotation, field.metadata)


def _type_name(annotation: Any, metadata: list[Any]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0], [m for a in arguments[1:] for m in _constraints(a)])
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(_type_name(argument, []) for argument in arguments)
    if origin is list:
        inner = arguments[0]
        return "list of sections" if _inner_model(inner) else f"list of {_type_name(inner, [])}"
    if origin is dict:
        return "mapping of name to list of text"
    if _inner_model(annotation) is not None:
        return "section"
    bounds = _bounds(metadata)
    return _NAMES[annotation] + (f" {bounds}" if bounds else "")


def _constraints(item: Any) -> list[Any]:
    return list(item.metadata) if isinstance(item, FieldInfo) else [item]


def _bounds(metadata: list[Any]) -> str:
    low = high = ""
    for item in metadata:
        if isinstance(item, annotated_types.Ge):
            low = f"from {item.ge}"
        elif isinstance(item, annotated_types.Gt):
            low = f"above {item.gt}"
        elif isinstance(item, annotated_types.Le):
            high = f"to {item.le}"
    return f"{low} {high}".strip()


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "as below" if _inner_model(field.annotation) else "none"
    if field.default is PydanticUndefined:
        return "required"
    if field.default == "":
        return "empty"
    value = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{value}`"
