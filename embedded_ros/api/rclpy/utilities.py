"""The default context, and checks of message and service classes."""

from __future__ import annotations

import sys
from typing import Any

from rclpy._arguments import split_ros_arguments
from rclpy.context import Context

_default_context: Context | None = None


def get_default_context(*, shutting_down: bool = False) -> Context:
    """Return the context that is used where none is given."""
    global _default_context
    if _default_context is None:
        _default_context = Context()
    return _default_context


def new_default_context() -> Context:
    """Replace a default context that was shut down, so that init() can be called again."""
    global _default_context
    if not get_default_context().ok():
        _default_context = Context()
    return get_default_context()


def ok(*, context: Context | None = None) -> bool:
    """Return whether the context is initialised and not shut down."""
    return (context or get_default_context()).ok()


def shutdown(*, context: Context | None = None) -> None:
    """Shut a context down; RuntimeError where it is not initialised."""
    (context or get_default_context()).shutdown()


def try_shutdown(*, context: Context | None = None) -> None:
    """Shut a context down where that was not done yet."""
    (context or get_default_context()).try_shutdown()


def remove_ros_args(args: list[str] | None = None) -> list[str]:
    """Return a command line without its ROS arguments."""
    return split_ros_arguments(sys.argv if args is None else args)[0]


def check_is_valid_msg_type(message_type: Any) -> None:
    """Raise AttributeError where this is not a message class."""
    if not isinstance(getattr(message_type, 'TYPE_NAME', None), str) or not hasattr(message_type, 'FIELDS'):
        raise AttributeError(f'{message_type!r} is not a message class')


def check_is_valid_srv_type(service_type: Any) -> None:
    """Raise AttributeError where this is not a service class."""
    if not isinstance(getattr(service_type, 'TYPE_NAME', None), str) or not hasattr(service_type, 'Request'):
        raise AttributeError(f'{service_type!r} is not a service class')
