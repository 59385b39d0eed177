"""The profile's keys by their paths, such as `model.dtype`: what is declared of each, and fields of
other models that take it over."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic.fields import FieldInfo

from avatar_nodes.profile.schema import Profile

_CONSTRAINTS = ("gt", "ge", "lt", "le", "multiple_of", "min_length", "max_length", "pattern")


def key(path: str) -> Any:
    """A field that is a key of the profile, such as `model.dtype`; `placement.denoisers.steps` is
    one of each entry of that list.

    Raises:
        ValueError: the profile has no such key.
    """
    of = profile_field(path)
    values: dict[str, Any] = {"description": of.description, "json_schema_extra": {"key": path}}
    if of.default_factory is not None:
        values["default_factory"] = of.default_factory
    elif not of.is_required():
        values["default"] = of.default
    return Field(**values, **constraints(of))


def profile_field(path: str) -> FieldInfo:
    """The profile's own declaration of a key. Raises ValueError: there is none."""
    section, _, name = path.rpartition(".")
    owner = next((kind for place, kind in sections() if place == section), None)
    if owner is None or name not in owner.model_fields:
        raise ValueError(f"the profile has no key {path}")
    return owner.model_fields[name]


def constraints(field: FieldInfo) -> dict[str, Any]:
    """Range, length and pattern of a field, by the names that `Field` has for them."""
    found = ((name, getattr(item, name, None)) for item in field.metadata for name in _CONSTRAINTS)
    return {name: value for name, value in found if value is not None}


@cache
def sections() -> tuple[tuple[str, type[BaseModel]], ...]:
    """(path, class) of every section of the profile, and of those within them."""
    return tuple(_sections_of(Profile))


def _sections_of(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if get_origin(kind) is list:
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield prefix + name, kind
            yield from _sections_of(kind, f"{prefix}{name}.")
