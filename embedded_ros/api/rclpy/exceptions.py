"""Exceptions of the public API."""

# ruff: noqa: N818 - ROS 2 gave the exceptions their names
from typing import Any

from rclpy._rclpy_pybind11 import InvalidHandle

__all__ = ['InvalidHandle']


class ROSInterruptException(Exception):
    """A sleep ended because the context was shut down."""

    def __init__(self) -> None:
        super().__init__('rclpy.shutdown() has been called')


class NotInitializedException(Exception):
    """rclpy.init() was not called."""

    def __init__(self, extra: str = '') -> None:
        super().__init__('rclpy.init() has not been called' + (f': {extra}' if extra else ''))


class NameValidationException(Exception):
    """A name of a node, topic, ... is malformed; shows where."""

    def __init__(self, name_type: str, name: str, error_msg: str, invalid_index: int):
        super().__init__(f"Invalid {name_type}: {error_msg}:\n  '{name}'\n   {' ' * invalid_index}^")
        self.name_type = name_type
        self.name = name
        self.error_msg = error_msg
        self.invalid_index = invalid_index


class InvalidNamespaceException(NameValidationException):
    """Malformed namespace."""

    def __init__(self, name: str, error_msg: str, invalid_index: int):
        super().__init__('namespace', name, error_msg, invalid_index)


class InvalidNodeNameException(NameValidationException):
    """Malformed node name."""

    def __init__(self, name: str, error_msg: str, invalid_index: int):
        super().__init__('node name', name, error_msg, invalid_index)


class InvalidTopicNameException(NameValidationException):
    """Malformed topic name."""

    def __init__(self, name: str, error_msg: str, invalid_index: int):
        super().__init__('topic name', name, error_msg, invalid_index)


class InvalidServiceNameException(NameValidationException):
    """Malformed service name."""

    def __init__(self, name: str, error_msg: str, invalid_index: int):
        super().__init__('service name', name, error_msg, invalid_index)


class ParameterException(Exception):
    """Base of parameter errors; `parameters` are the names concerned."""

    def __init__(self, error_msg: str, parameters: Any = (), *args: Any):
        super().__init__(error_msg, parameters, *args)


class ParameterNotDeclaredException(ParameterException):
    """The parameter was not declared."""

    def __init__(self, parameters: Any):
        super().__init__('Invalid access to undeclared parameter(s)', parameters)


class ParameterAlreadyDeclaredException(ParameterException):
    """The parameter was declared before."""

    def __init__(self, parameters: Any):
        super().__init__('Parameter(s) already declared', parameters)


class ParameterUninitializedException(ParameterException):
    """A parameter declared by type only has no value yet."""

    def __init__(self, parameter: str):
        super().__init__(f"The parameter '{parameter}' is not initialized", parameter)


class InvalidParameterException(ParameterException):
    """Malformed parameter name."""

    def __init__(self, parameter: str):
        super().__init__('Invalid parameter name', parameter)


class InvalidParameterTypeException(ParameterException):
    """A value of another type than declared."""

    def __init__(self, desired_parameter: Any, expected_type: Any):
        super().__init__(
            f"Trying to set parameter '{desired_parameter.name}' to '{desired_parameter.value}' of type "
            f"'{desired_parameter.type_.name}', expecting type '{getattr(expected_type, 'name', expected_type)}'",
            desired_parameter.name,
        )


class InvalidParameterValueException(ParameterException):
    """A value outside its range, or refused by a callback."""

    def __init__(self, parameter: str, value: Any, reason: str):
        super().__init__(f"Invalid parameter value ({value}) for parameter '{parameter}'. Reason: {reason}", parameter)


class ParameterImmutableException(ParameterException):
    """An attempt to change a read-only parameter."""

    def __init__(self, parameter: Any):
        super().__init__('Attempted to modify read-only parameter', parameter)
