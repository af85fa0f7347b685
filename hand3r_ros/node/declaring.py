"""Declares the parameters of the small nodes (player, viewer, monitor) from a frozen dataclass."""

from __future__ import annotations

from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from hand3r_ros.node.parameter_fields import Changes, ParameterError, ParameterSpec, from_values, specs_of

Parameters = TypeVar('Parameters')


def declare_parameters(node: Node, parameters_class: type[Parameters]) -> Parameters:
    """Declare every field as a read-only parameter and give the values.

    Raises:
        ParameterError: a value given at start-up is not allowed; names the parameter and what is.
    """
    values: dict[str, Any] = {}
    for spec in specs_of(parameters_class):
        default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        try:
            values[spec.name] = node.declare_parameter(spec.name, default, _descriptor(spec)).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ParameterError(f'{spec.name}: {error}') from error
    return from_values(parameters_class, values)


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    choices = f'one of: {", ".join(spec.choices)}; ' if spec.choices else ''
    descriptor = ParameterDescriptor(
        description=spec.description, additional_constraints=choices + Changes.NEVER.value, read_only=True
    )
    if spec.minimum is not None and spec.maximum is not None:
        if spec.type is int:
            limits = IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)
            descriptor.integer_range = [limits]
        else:
            bounds = FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum), step=0.0)
            descriptor.floating_point_range = [bounds]
    return descriptor
