"""ROS parameters from a settings class, and an instance of it from their values."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from avatar_nodes.errors.configuration_error import ConfigurationError
from avatar_nodes.profile.explain import explain
from avatar_nodes.profile.keys import constraints
from avatar_nodes.profile.problem import Problem
from avatar_nodes.profile.settings import NodeSettings

_Settings = TypeVar("_Settings", bound=NodeSettings)

_TYPES: dict[Any, tuple[Parameter.Type, Parameter.Type]] = {
    bool: (Parameter.Type.BOOL, Parameter.Type.BOOL_ARRAY),
    int: (Parameter.Type.INTEGER, Parameter.Type.INTEGER_ARRAY),
    float: (Parameter.Type.DOUBLE, Parameter.Type.DOUBLE_ARRAY),
    str: (Parameter.Type.STRING, Parameter.Type.STRING_ARRAY),
}
"""Of a value, and of a list of such."""
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_LARGEST: dict[Any, float] = {int: 2**63 - 1, float: sys.float_info.max}


def declare_parameters(node: Node, kind: type[_Settings]) -> _Settings:
    """Declare a parameter for each field of `kind` on `node`, read only but for `kind.LIVE`, and
    read them all.

    Raises:
        ConfigurationError: a value is missing, of another type or out of range; one line that
            names the parameter.
    """
    fields = kind.parameter_fields()
    _warn_of_misspelled(node, fields)
    values = {name: _declare(node, name, field, kind) for name, field in fields.items()}
    return _settings_of(kind, values)


def with_changes(settings: _Settings, changes: Sequence[Parameter]) -> _Settings:
    """The settings after some parameters were set; those that are no field count for nothing.

    Raises:
        ConfigurationError: a value is of another type or out of range, or they disagree.
    """
    kind = type(settings)
    values = {name: _plain(value) for name, value in settings.parameters().items()}
    new = {each.name: _plain(each.value) for each in changes if each.name in values}
    return _settings_of(kind, values | new)


def _settings_of(kind: type[_Settings], values: Mapping[str, Any]) -> _Settings:
    try:
        return kind.from_parameters(values)
    except ValidationError as error:
        problem = explain(error.errors(include_url=False)[0], kind)
        raise ConfigurationError(_line(problem, kind.parameter_fields())) from None


def _warn_of_misspelled(node: Node, fields: Mapping[str, FieldInfo]) -> None:
    """Of values for parameters that there are not, which ROS passes over. They are no error: a
    launch file may give all of its nodes a parameter that some of them have."""
    for name in node._parameter_overrides:
        close = difflib.get_close_matches(name, list(fields), n=1, cutoff=0.75)
        if close and name not in fields:
            node.get_logger().warning(
                f"parameter {name}: there is none of that name; did you mean {close[0]}?"
            )


def _line(problem: Problem, fields: Mapping[str, FieldInfo]) -> str:
    """One line, as of a profile; where values disagree with each other, it is of no parameter."""
    if not problem.path:
        return f"parameters: expected {problem.expected}, got {problem.got}"
    choices = _choices(fields[str(problem.path[0])].annotation)
    expected = f"one of {', '.join(choices)}" if choices else problem.expected
    return f"parameter {replace(problem, expected=expected)}"


def _declare(node: Node, name: str, field: FieldInfo, kind: type[NodeSettings]) -> Any:
    default = _type_of(field)[1] if field.is_required() else _default(field)
    try:
        descriptor = _descriptor(name, field, live=name in kind.LIVE)
        value = node.declare_parameter(name, default, descriptor).value
    except ParameterUninitializedException:
        value = None
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise ConfigurationError(f"parameter {name}: expected {_wanted(field)}: {error}") from None
    if value is None:
        raise ConfigurationError(
            f"parameter {name}: expected {_wanted(field)}, got nothing ({field.description})"
        )
    return _plain(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else list(value)


def _default(field: FieldInfo) -> Any:
    value = field.get_default(call_default_factory=True, validated_data={})
    return value if value != [] else [""]


def _descriptor(name: str, field: FieldInfo, *, live: bool) -> ParameterDescriptor:
    """Name, meaning and range; what ROS has no field for (choices, an open bound) in words."""
    bounds, (kind, _) = constraints(field), _type_of(field)
    descriptor = ParameterDescriptor(
        name=name,
        description=field.description or "",
        additional_constraints=_words(field),
        read_only=not live,
    )
    if kind not in _LARGEST or not _bounded(bounds):
        return descriptor
    largest = _LARGEST[kind]
    lowest = bounds.get("ge", bounds.get("gt", -largest))
    highest = bounds.get("le", bounds.get("lt", largest))
    if kind is float:
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=float(lowest), to_value=float(highest))
        ]
    else:
        step = bounds.get("multiple_of", 1)
        descriptor.integer_range = [
            IntegerRange(
                from_value=int(lowest),
                to_value=int(highest),
                step=0 if lowest % step or step == 1 else step,
            )
        ]
    return descriptor


def _bounded(bounds: dict[str, Any]) -> bool:
    return any(name in bounds for name in ("gt", "ge", "lt", "le"))


def _type_of(field: FieldInfo) -> tuple[type, Parameter.Type]:
    """Of a value or, in a list, of an element; and ROS's type of the whole."""
    annotation, listed = field.annotation, False
    if get_origin(annotation) is list:
        annotation, listed = get_args(annotation)[0], True
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    kind: Any = str if get_origin(annotation) is Literal else annotation
    return kind, _TYPES[kind][listed]


def _choices(annotation: Any) -> tuple[str, ...]:
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _words(field: FieldInfo) -> str:
    bounds = constraints(field)
    if choices := _choices(field.annotation):
        return f"one of {', '.join(choices)}"
    if "pattern" in bounds:
        return f"matches {bounds['pattern']}"
    return f"above {bounds['gt']}" if "gt" in bounds else ""


def _wanted(field: FieldInfo) -> str:
    bounds = constraints(field)
    if _choices(field.annotation):
        return _words(field)
    if get_origin(field.annotation) is list:
        return "a list"
    text = _WORDS[_type_of(field)[0]]
    low = f" above {bounds['gt']}" if "gt" in bounds else f" from {bounds.get('ge')}"
    return text + (f"{low} to {bounds['le']}" if "le" in bounds else "")
