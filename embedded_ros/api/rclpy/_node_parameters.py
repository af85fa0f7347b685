"""The parameters of a node: declaration, checks, callbacks, events, and the six services for other nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rcl_interfaces.msg import ParameterDescriptor, ParameterEvent, ParameterValue, SetParametersResult
from rcl_interfaces.srv import (
    DescribeParameters,
    GetParameters,
    GetParameterTypes,
    ListParameters,
    SetParameters,
    SetParametersAtomically,
)

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.exceptions import (
    InvalidParameterException,
    InvalidParameterTypeException,
    InvalidParameterValueException,
    ParameterAlreadyDeclaredException,
    ParameterNotDeclaredException,
    ParameterUninitializedException,
)
from rclpy.parameter import PARAMETER_SEPARATOR_STRING, Parameter
from rclpy.qos import qos_profile_parameters

if TYPE_CHECKING:
    from rclpy.clock import ROSClock
    from rclpy.context import Context
    from rclpy.node import Node
    from rclpy.publisher import Publisher

STEP_TOLERANCE = 1e-9
WRONG_TYPE = 'Wrong parameter type'


def _range_problem(parameter: Parameter, descriptor: ParameterDescriptor) -> str | None:
    """Why a number is outside the range of its descriptor, None where it is fine."""
    ranges = {
        Parameter.Type.INTEGER: descriptor.integer_range,
        Parameter.Type.DOUBLE: descriptor.floating_point_range,
    }.get(parameter.type_)
    if not ranges:
        return None
    low, high, step = ranges[0].from_value, ranges[0].to_value, ranges[0].step
    value = parameter.value
    if not low <= value <= high:
        return f'Parameter {parameter.name} out of range. Min: {low}, Max: {high}, value: {value}'
    if step and value not in (low, high):
        steps = round((value - low) / step)
        if abs(low + steps * step - value) > STEP_TOLERANCE:
            return f'Parameter {parameter.name}: {value} is not a valid step. Min: {low}, Max: {high}, step: {step}'
    return None


def _failure(reason: str) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=reason)


class NodeParameters:
    """Mixed into Node, which calls `_init_parameters` first."""

    if TYPE_CHECKING:
        context: Context
        _clock: ROSClock
        _parameter_event_publisher: Publisher | None

        def get_fully_qualified_name(self) -> str:
            """Given by Node."""
            ...

    def _init_parameters(self, overrides: dict[str, Parameter], allow_undeclared: bool) -> None:
        self._parameters: dict[str, Parameter] = {}
        self._descriptors: dict[str, ParameterDescriptor] = {}
        self._parameter_overrides = overrides
        self._allow_undeclared_parameters = allow_undeclared
        self._pre_set_callbacks: list[Callable[[list[Parameter]], list[Parameter]]] = []
        self._on_set_callbacks: list[Callable[[list[Parameter]], SetParametersResult]] = []
        self._post_set_callbacks: list[Callable[[list[Parameter]], None]] = []

    # Declaration

    def declare_parameter(
        self,
        name: str,
        value: Any = None,
        descriptor: ParameterDescriptor | None = None,
        ignore_override: bool = False,
    ) -> Parameter:
        """Declare a parameter by its default value, or by its Parameter.Type; returns it with overrides applied."""
        entry = (name,) if value is None and descriptor is None else (name, value, descriptor)
        return self.declare_parameters('', [entry], ignore_override)[0]

    def declare_parameters(
        self, namespace: str, parameters: Iterable[Sequence[Any]], ignore_override: bool = False
    ) -> list[Parameter]:
        """Declare (name[, value or type[, descriptor]]) tuples below a namespace."""
        return [self._declare(namespace, index, entry, ignore_override) for index, entry in enumerate(parameters)]

    def _declare(self, namespace: str, index: int, entry: Sequence[Any], ignore_override: bool) -> Parameter:
        if not 1 <= len(entry) <= 3:
            raise TypeError(f'Invalid parameter tuple length at index {index}: {entry}; expecting 1 to 3')
        name, value, descriptor = (*entry, None, None)[:3]
        if not isinstance(name, str):
            raise TypeError(f'First element {name!r} at index {index} in parameters list is not a str.')
        if descriptor is not None and not isinstance(descriptor, ParameterDescriptor):
            raise TypeError(f'Third element at index {index} is not a ParameterDescriptor: {descriptor!r}')
        name = f'{namespace}{PARAMETER_SEPARATOR_STRING}{name}' if namespace else name
        if not name or name != name.strip():
            raise InvalidParameterException(name)
        if name in self._parameters:
            raise ParameterAlreadyDeclaredException(name)
        descriptor = descriptor or ParameterDescriptor(dynamic_typing=len(entry) == 1)
        descriptor.name = name
        default = Parameter(name) if isinstance(value, Parameter.Type) else Parameter(name, value=value)
        if not descriptor.dynamic_typing:
            if isinstance(value, Parameter.Type):
                descriptor.type = int(value)
            elif default.type_ is not Parameter.Type.NOT_SET:
                descriptor.type = int(default.type_)
        use_override = name in self._parameter_overrides and not ignore_override
        initial = self._parameter_overrides[name] if use_override else default
        if initial.type_.is_array and len(initial.value) == 0 and descriptor.type:
            initial = Parameter(name, Parameter.Type(descriptor.type), initial.value)  # an empty list fits every type
        self._descriptors[name], self._parameters[name] = descriptor, Parameter(name)
        result = self._apply([initial], declaring=True)
        if not result.successful:
            expected = Parameter.Type(descriptor.type)
            del self._descriptors[name], self._parameters[name]
            if result.reason.startswith(WRONG_TYPE):
                raise InvalidParameterTypeException(initial, expected)
            raise InvalidParameterValueException(name, initial.value, result.reason)
        return self._parameters[name]

    # Reading

    def has_parameter(self, name: str) -> bool:
        """Return whether the parameter is declared."""
        return name in self._parameters

    def get_parameter(self, name: str) -> Parameter:
        """Return a declared parameter."""
        if name in self._parameters:
            parameter, descriptor = self._parameters[name], self._descriptors[name]
            if parameter.type_ is Parameter.Type.NOT_SET and descriptor.type and not descriptor.dynamic_typing:
                raise ParameterUninitializedException(name)
            return parameter
        if self._allow_undeclared_parameters:
            return Parameter(name)
        raise ParameterNotDeclaredException(name)

    def get_parameters(self, names: list[str]) -> list[Parameter]:
        """Return several declared parameters."""
        if not all(isinstance(name, str) for name in names):
            raise TypeError('All names must be instances of type str')
        return [self.get_parameter(name) for name in names]

    def get_parameters_by_prefix(self, prefix: str) -> dict[str, Parameter]:
        """Return the parameters below a prefix, named without it."""
        start = prefix + PARAMETER_SEPARATOR_STRING if prefix else ''
        return {name[len(start) :]: p for name, p in self._parameters.items() if name.startswith(start)}

    def get_parameter_type(self, name: str) -> Parameter.Type:
        """Return the type of a parameter."""
        return self.get_parameter(name).type_

    def get_parameter_types(self, names: list[str]) -> list[Parameter.Type]:
        """Return the types of several parameters."""
        return [self.get_parameter_type(name) for name in names]

    def _known_descriptor(self, name: str) -> ParameterDescriptor:
        if name not in self._descriptors:
            raise ParameterNotDeclaredException(name)
        return self._descriptors[name]

    def describe_parameter(self, name: str) -> ParameterDescriptor:
        """Return the descriptor of a parameter."""
        if name not in self._descriptors and self._allow_undeclared_parameters:
            return ParameterDescriptor(name=name)
        return self._known_descriptor(name)

    def describe_parameters(self, names: list[str]) -> list[ParameterDescriptor]:
        """Return the descriptors of several parameters."""
        return [self.describe_parameter(name) for name in names]

    # Callbacks

    def add_pre_set_parameters_callback(self, callback: Callable[[list[Parameter]], list[Parameter]]) -> None:
        """Let `callback(parameters) -> parameters` change what is about to be set."""
        self._pre_set_callbacks.insert(0, callback)

    def add_on_set_parameters_callback(self, callback: Callable[[list[Parameter]], SetParametersResult]) -> None:
        """Let `callback(parameters) -> SetParametersResult` refuse values."""
        self._on_set_callbacks.insert(0, callback)

    def add_post_set_parameters_callback(self, callback: Callable[[list[Parameter]], None]) -> None:
        """Call `callback(parameters)` after parameters were set."""
        self._post_set_callbacks.insert(0, callback)

    # Setting

    def set_parameters(self, parameter_list: list[Parameter]) -> list[SetParametersResult]:
        """Set parameters one by one."""
        self._require_declared(parameter_list)
        return [self._apply([parameter]) for parameter in parameter_list]

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """Set all parameters or none."""
        self._require_declared(parameter_list)
        return self._apply(parameter_list)

    def _require_declared(self, parameters: list[Parameter]) -> None:
        for parameter in parameters:
            if not isinstance(parameter, Parameter):
                raise TypeError(f"parameter must be instance of type '{Parameter!r}'")
            if parameter.name not in self._parameters and not self._allow_undeclared_parameters:
                raise ParameterNotDeclaredException(parameter.name)

    def _problem(self, parameter: Parameter, declaring: bool) -> str | None:
        descriptor = self._descriptors.get(parameter.name)
        if descriptor is None:
            return None
        if descriptor.read_only and not declaring:
            return f'Trying to set a read-only parameter: {parameter.name}.'
        unset = declaring and parameter.type_ is Parameter.Type.NOT_SET
        fixed = not descriptor.dynamic_typing and descriptor.type != 0
        if fixed and parameter.type_ != descriptor.type and not unset:
            expected = Parameter.Type(descriptor.type).name
            return f"{WRONG_TYPE}, expected '{expected}' got '{parameter.type_.name}' for {parameter.name}"
        return _range_problem(parameter, descriptor)

    def _apply(self, parameters: list[Parameter], declaring: bool = False) -> SetParametersResult:
        if not declaring:
            for before in self._pre_set_callbacks:
                parameters = before(parameters)
        for parameter in parameters:
            problem = self._problem(parameter, declaring)
            if problem is not None:
                return _failure(problem)
        for check in self._on_set_callbacks:
            result = check(parameters)
            if not isinstance(result, SetParametersResult):
                raise TypeError(f'a set-parameters callback must return a SetParametersResult, got {result!r}')
            if not result.successful:
                return result
        self._store(parameters, declaring)
        for after in self._post_set_callbacks:
            after(parameters)
        return SetParametersResult(successful=True)

    def _store(self, parameters: list[Parameter], declaring: bool) -> None:
        event = ParameterEvent(node=self.get_fully_qualified_name(), stamp=self._clock.now().to_msg())
        for parameter in parameters:
            is_new = declaring or parameter.name not in self._parameters
            if parameter.type_ is Parameter.Type.NOT_SET and not is_new:
                event.deleted_parameters.append(parameter.to_parameter_msg())
            else:
                (event.new_parameters if is_new else event.changed_parameters).append(parameter.to_parameter_msg())
            self._parameters[parameter.name] = parameter
            self._descriptors.setdefault(parameter.name, ParameterDescriptor(name=parameter.name, dynamic_typing=True))
        if self._parameter_event_publisher is not None and self.context.ok():
            self._parameter_event_publisher.publish(event)


class ParameterService:
    """Creates and answers the services `~/get_parameters`, `~/set_parameters`, ..."""

    def __init__(self, node: Node):
        self._node = node
        group = ReentrantCallbackGroup()
        services = {
            'get_parameters': (GetParameters, self._get),
            'get_parameter_types': (GetParameterTypes, self._types),
            'describe_parameters': (DescribeParameters, self._describe),
            'list_parameters': (ListParameters, self._list),
            'set_parameters': (SetParameters, self._set),
            'set_parameters_atomically': (SetParametersAtomically, self._set_atomically),
        }
        for name, (service_type, callback) in services.items():
            node.create_service(
                service_type, f'~/{name}', callback, qos_profile=qos_profile_parameters, callback_group=group
            )

    def _get(self, request: Any, response: Any) -> Any:
        parameters = self._node._parameters
        if all(name in parameters for name in request.names):
            response.values = [parameters[name].get_parameter_value() for name in request.names]
        elif self._node._allow_undeclared_parameters:
            known = [parameters.get(name) for name in request.names]
            response.values = [ParameterValue() if p is None else p.get_parameter_value() for p in known]
        return response  # as in ROS 2: one undeclared name, and the answer is empty

    def _types(self, request: Any, response: Any) -> Any:
        parameters = self._node._parameters
        response.types = [int(parameters[name].type_) if name in parameters else 0 for name in request.names]
        return response

    def _describe(self, request: Any, response: Any) -> Any:
        descriptors = self._node._descriptors
        response.descriptors = [descriptors.get(name) or ParameterDescriptor(name=name) for name in request.names]
        return response

    def _list(self, request: Any, response: Any) -> Any:
        separator = PARAMETER_SEPARATOR_STRING

        def wanted(name: str) -> bool:
            if not request.prefixes:
                return not request.depth or name.count(separator) < request.depth
            for prefix in request.prefixes:
                if name == prefix:
                    return True
                below = name.removeprefix(prefix + separator)
                if below != name and (not request.depth or below.count(separator) < request.depth):
                    return True
            return False

        names = sorted(name for name in self._node._parameters if wanted(name))
        response.result.names = names
        response.result.prefixes = sorted({name.rpartition(separator)[0] for name in names if separator in name})
        return response

    def _set(self, request: Any, response: Any) -> Any:
        response.results = [self._try_set([message]) for message in request.parameters]
        return response

    def _set_atomically(self, request: Any, response: Any) -> Any:
        response.result = self._try_set(request.parameters)
        return response

    def _try_set(self, messages: list[Any]) -> SetParametersResult:
        try:
            parameters = [Parameter.from_parameter_msg(message) for message in messages]
            return self._node.set_parameters_atomically(parameters)
        except Exception as error:  # whatever another process sends must not end this one
            return SetParametersResult(successful=False, reason=f'{type(error).__name__}: {error}')
