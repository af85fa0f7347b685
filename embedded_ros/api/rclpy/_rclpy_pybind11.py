"""Exceptions that ROS 2 raises from its C layer, under the module name users import them from."""

# ruff: noqa: N818 - ROS 2 gave the exceptions their names


class RCLError(RuntimeError):
    """The client library refused an operation."""


class RCLInvalidROSArgsError(RCLError):
    """Something after --ros-args is malformed."""


class UnknownROSArgsError(RuntimeError):
    """Something after --ros-args is not one of the arguments of ROS 2."""


class InvalidHandle(RCLError):
    """The entity was already destroyed."""
