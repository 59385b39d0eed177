"""One entry of a node's parameter table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
)
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterUninitializedException,
)
from rclpy.node import Node

from avatar_nodes.errors.configuration_error import ConfigurationError


@dataclass(frozen=True)
class NodeParameter:
    """Name, default, meaning and range of a parameter; all are read once, when it is declared.

    A list's default must not be empty: ROS takes an element's type from it.
    """

    name: str
    default: bool | int | float | str | list[int] | list[float] | list[str]
    description: str
    lowest: float | None = None
    highest: float | None = None
    choices: Sequence[str] = ()

    def declare(self, node: Node) -> Any:
        """Declare it on `node`, read only, and return its value.

        Raises:
            ConfigurationError: a value of another type, out of range, or none of the choices.
        """
        try:
            value: Any = node.declare_parameter(self.name, self.default, self._descriptor()).value
        except (
            InvalidParameterTypeException,
            InvalidParameterValueException,
            ParameterUninitializedException,
        ) as error:
            wanted = type(self.default).__name__
            raise ConfigurationError(f"parameter {self.name}: expected {wanted}: {error}") from None
        if self.choices and value not in self.choices:
            wanted = ", ".join(self.choices)
            raise ConfigurationError(
                f"parameter {self.name}: expected one of {wanted}, got {value!r}"
            )
        return value

    def _descriptor(self) -> ParameterDescriptor:
        text = f"one of {', '.join(self.choices)}" if self.choices else ""
        descriptor = ParameterDescriptor(
            name=self.name,
            description=self.description,
            additional_constraints=text,
            read_only=True,
        )
        if self.lowest is None or self.highest is None:
            return descriptor
        if isinstance(self.default, float):
            bounds = FloatingPointRange(from_value=float(self.lowest), to_value=float(self.highest))
            descriptor.floating_point_range = [bounds]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(self.lowest), to_value=int(self.highest))
            ]
        return descriptor
