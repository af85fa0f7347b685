"""Declares the parameters on the node and keeps the snapshot; refuses invalid values with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hand3r_ros.node.names import shortened
from hand3r_ros.node.parameter_fields import Changes, ParameterError, ParameterSpec, from_values, specs_of
from hand3r_ros.node.parameters import NodeParameters


class ParameterServer:
    """The node's parameters as one frozen :class:`NodeParameters`, always valid.

    A bad value at start-up (command line, file) does not end the process: the default stays, ``problems`` says what
    was wrong, and the node refuses to configure until the parameter was set to a good value.
    """

    def __init__(
        self,
        node: Node,
        is_unconfigured: Callable[[], bool],
        changed: Callable[[NodeParameters], None] = lambda parameters: None,
    ) -> None:
        """Declare everything; ``changed`` gets each new snapshot (it may raise ValueError to refuse it)."""
        self._is_unconfigured = is_unconfigured
        self._changed = changed
        self._logger = node.get_logger()
        self._specs = {spec.name: spec for spec in specs_of(NodeParameters)}
        self._values: dict[str, Any] = {name: spec.default for name, spec in self._specs.items()}
        self._problems: dict[str, str] = {}
        self._declaring = True
        node.add_on_set_parameters_callback(self._on_set)
        for spec in self._specs.values():
            self._declare(node, spec)
        self._declaring = False
        self._snapshot = self._first_snapshot()

    @property
    def snapshot(self) -> NodeParameters:
        """All parameters as they are now."""
        return self._snapshot

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong with values given at start-up and not corrected since."""
        return tuple(self._problems.values())

    def _declare(self, node: Node, spec: ParameterSpec) -> None:
        default = list(spec.default) if isinstance(spec.default, tuple) else spec.default
        try:
            node.declare_parameter(spec.name, default, _descriptor(spec))
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            reason = self._problems.get(spec.name) or f'{spec.name}: {error}'
            self._problems[spec.name] = reason
            node.declare_parameter(spec.name, default, _descriptor(spec), ignore_override=True)

    def _first_snapshot(self) -> NodeParameters:
        try:
            return from_values(NodeParameters, self._values)
        except ParameterError as error:
            self._problems[str(error).partition(':')[0]] = str(error)
            return NodeParameters()

    def _on_set(self, parameters: list[Parameter]) -> SetParametersResult:
        ours = {parameter.name: parameter.value for parameter in parameters if parameter.name in self._specs}
        try:
            if self._declaring:
                self._take_start_up_values(ours)
            elif ours:
                self._change(ours)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _take_start_up_values(self, values: dict[str, Any]) -> None:
        for name, value in values.items():
            try:
                self._values[name] = self._checked(name, value)
            except ParameterError as error:
                self._problems[name] = str(error)
                raise

    def _change(self, changes: dict[str, Any]) -> None:
        for name in changes:
            if self._specs[name].changes is Changes.UNCONFIGURED and not self._is_unconfigured():
                raise ParameterError(f'{name}: {Changes.UNCONFIGURED.value}')
        values = {**self._values, **{name: self._checked(name, value) for name, value in changes.items()}}
        snapshot = from_values(NodeParameters, values)
        self._changed(snapshot)
        self._values, self._snapshot = values, snapshot
        for name in changes:
            self._problems.pop(name, None)

    def _checked(self, name: str, value: Any) -> Any:
        checked = self._specs[name].check(value)
        if isinstance(value, str) and checked != value:
            self._logger.warning(f"parameter {name}: taking '{shortened(str(checked))}' for '{shortened(value)}'")
        return checked


def _descriptor(spec: ParameterSpec) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=spec.description,
        additional_constraints=_constraints(spec),
        read_only=spec.changes is Changes.NEVER,
    )
    if spec.minimum is not None and spec.maximum is not None:
        if spec.type is int:
            limits = IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)
            descriptor.integer_range = [limits]
        else:
            limits = FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum), step=0.0)
            descriptor.floating_point_range = [limits]
    return descriptor


def _constraints(spec: ParameterSpec) -> str:
    parts = [spec.changes.value]
    if spec.choices:
        parts.insert(0, f'one of: {", ".join(spec.choices)}')
    return '; '.join(parts)
